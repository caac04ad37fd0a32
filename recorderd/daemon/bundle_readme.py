"""What a bundle tells the person who opens it: owns the words, in English and in Russian."""

from __future__ import annotations

from datetime import UTC, datetime

_TEXT = """\
Recordings of telephone calls, with the proof that nothing was changed
======================================================================

{scope}: {count} recordings. Exported by {who} on {when} UTC.

  audio/            the recordings; open them with any player (Ogg Opus, WAV, FLAC or MP3)
  ledger.jsonl      who spoke when, what policy decided and why, and the call detail records
  more.jsonl        what is known besides: marks, tags, holds
  listeners.jsonl   who listened to them, downloaded or deleted them
  policy.jsonl      who set the policy that was in force
  chain.jsonl       the chain of evidence; what belongs to other calls is sealed
  heads.jsonl       its signed heads
  manifest.json     every file's SHA-256, signed in manifest.sig
  verify.py         checks all of it, with nothing but Python

To check the bundle, get verify.py and the public key from somebody you trust, not from here, and run

    python3 verify.py THIS_FILE.zip --key PUBLIC_KEY

Here the key is said to be

    {key}

The bundle proves that files and rows are as the recorder entered them, and that no head which was published before
differs from them (--heads). It does not prove what the recorder was told, nor anything against the key's owner
since the last head that was published.

Записи телефонных разговоров и доказательство, что ничего не изменено
=====================================================================

{scope}: записей — {count}. Выгрузил(а) {who}, {when} UTC.

В папке audio/ — сами записи. Рядом — журнал (кто, когда и почему был записан), кто слушал, цепочка хешей
и её подписи. Чтобы проверить файл, возьмите verify.py и открытый ключ у того, кому доверяете, а не отсюда:

    python3 verify.py ЭТОТ_ФАЙЛ.zip --key ОТКРЫТЫЙ_КЛЮЧ
"""


def text(scope: str, who: str, count: int, now: float, key: str) -> str:
    """The whole README."""
    when = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return _TEXT.format(scope=scope, who=who, count=count, when=when, key=key)
