"""Kinds of tampering, drawn up before the verifiers: each does one deed, and says what must be named.

Owns the deeds. Must not know how they are found. The forger has the database, the spool and the state folder, and
knows how everything is spelled; he has the private key only where a kind says so.

| of a store | of a bundle |
|---|---|
| a bit of a file, its end, its place, itself | any bit, the end, something behind it |
| a row dropped, changed, put in, with and without its entry | a row dropped, changed, put in |
| a whole call, with and without its entries | a whole call |
| an entry dropped, changed, exchanged, put in, hashed anew or not | the same |
| the chain's end cut off; clocks set back | the same |
| a head forged, dropped, exchanged; another key | the same, signed anew by the forger or not |
| what was deleted put back; everything signed anew | a file put in |
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from recorderd.archive import signing
from recorderd.clerk import heads
from recorderd.core import chain
from recorderd.core.chain import ChainEntry, ChainHead
from recorderd.store import codec
from recorderd.store.digests import digests
from tests.keeping.world import DAY, START, World
from tests.store import sample
from tests.store.sample_keeping import hold

Deed = Callable[["Forger", random.Random], str]


class Forger:
    """Somebody with all rights on the machine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.db = sqlite3.connect(world.folder / "recorderd.db", isolation_level=None)
        for (name,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            self.db.execute(f"DROP TRIGGER {name}")

    def close(self) -> None:
        self.db.close()

    # --- what he reads ---

    def all(self, what: str) -> list[Any]:
        return self.db.execute(what).fetchall()

    def files(self) -> list[Path]:
        kept = self.world.monitor.rglob("*.opus")
        return sorted(
            [*kept, *(p for p in self.world.monitor.rglob("*.wav") if not p.with_suffix(".opus").exists())]
        )

    def entries(self) -> list[ChainEntry]:
        names = ("sequence", "at", "kind", "recording_id", "object", "detail", "digest", "previous", "hash")
        found = []
        for row in self.all(f"SELECT {', '.join(names)} FROM chain ORDER BY sequence"):
            plain = dict(zip(names, row, strict=True))
            plain |= {"at": plain["at"] / 1_000_000, "detail": json.loads(plain["detail"])}
            found.append(codec.from_plain(ChainEntry, plain))
        return found

    # --- what he writes ---

    def put_entries(self, entries: list[ChainEntry], *, hashed: bool) -> None:
        """This chain in the place of the old; `hashed`: numbered and hashed anew, as it must look."""
        self.db.execute("DELETE FROM chain")
        before = chain.BEGINNING
        for number, entry in enumerate(entries, 1):
            if hashed:
                digest = chain.rows_digest(entry.detail)
                entry = replace(entry, sequence=number, previous=before, digest=digest)
                entry = replace(entry, hash=chain.entry_hash(entry))
                before = entry.hash
            self.db.execute(
                "INSERT INTO chain VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (entry.sequence, chain.micros(entry.at), entry.kind, entry.recording_id, entry.object,
                 json.dumps(entry.detail), entry.digest, entry.previous, entry.hash),
            )  # fmt: skip

    def put_heads(self, found: list[ChainHead], *, database: bool = True, file: bool = True) -> None:
        if database:
            self.db.execute("DELETE FROM chain_heads")
            for h in found:
                self.db.execute(
                    "INSERT INTO chain_heads VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        h.number,
                        h.day,
                        chain.micros(h.at),
                        h.sequence,
                        h.hash,
                        h.previous,
                        h.public_key,
                        h.signature,
                    ),
                )
        if file:
            lines = "".join(f"{chain.published(head)}\n" for head in found)
            (self.world.state / heads.NAME).write_text(lines)

    def heads(self) -> list[ChainHead]:
        return heads.read(self.world.state)

    def signed_anew(self, key: signing.Key) -> list[ChainHead]:
        """The heads over the chain as it is now, by another key."""
        by_number = {entry.sequence: entry for entry in self.entries()}
        before, made = chain.BEGINNING, []
        for old in self.heads():
            sequence = min(old.sequence, max(by_number))
            head = replace(
                old, sequence=sequence, hash=by_number[sequence].hash, previous=before, public_key=key.public
            )
            made.append(replace(head, signature=key.sign(chain.signed_bytes(head))))
            before = chain.head_hash(made[-1])
        return made


# --- files -------------------------------------------------------------------------------------------


def bit_of_a_file(forger: Forger, chance: random.Random) -> str:
    path = chance.choice(forger.files())
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return path.name


def file_truncated(forger: Forger, chance: random.Random) -> str:
    path = chance.choice(forger.files())
    path.write_bytes(path.read_bytes()[: -chance.randrange(1, 500)])
    return path.name


def file_longer(forger: Forger, chance: random.Random) -> str:
    path = chance.choice(forger.files())
    path.write_bytes(path.read_bytes() + chance.randbytes(chance.randrange(1, 99)))
    return path.name


def files_swapped(forger: Forger, chance: random.Random) -> str:
    one, other = chance.sample(forger.files(), 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return chance.choice([one, other]).name


def file_gone(forger: Forger, chance: random.Random) -> str:
    path = chance.choice(forger.files())
    path.unlink()
    return path.name


def deleted_file_back(forger: Forger, chance: random.Random) -> str:
    [(folder, name)] = forger.all("SELECT folder, name FROM kept WHERE state = 'deleted'")
    shutil.copy(chance.choice(forger.files()), forger.world.monitor / folder / name)
    return str(name)


# --- rows --------------------------------------------------------------------------------------------

_ROWS = {
    "recordings": ("Recording:{}", "id"), "conversations": ("Conversation:{}", "id"),
    "intervals": ("Interval:{}", "id"), "kept": ("Kept:{}", "recording_id"), "holds": ("Hold:{}", "id"),
    "erasures": ("Erasure:{}", "id"), "cdr_links": ("CdrLink:{}", "uniqueid || ':' || sequence || ':' || recording_id"),
    "cdrs": ("Cdr:{}", "uniqueid || ':' || sequence"),
}  # fmt: skip
_CHANGES = {
    "recordings": ("duration_ms = duration_ms + 1", "started_at = started_at - 86400000000", "folder = '2020/01/01'"),
    "conversations": ("ended_at = ended_at + 1", "linkedids = '[]'"),
    "intervals": (
        "reason = 'x'", "mode = 'never'", "missing_ms = 9", "policy_version = 99", "trace = '[\"x\"]'",
        "outcome = 'partial'", "started_at = started_at - 1", "parties = '[]'", "wanted = 0",
    ),
    "kept": ("sha256 = 'ab'", "deleted_by = 'nobody', name = name || 'x'"),
    "holds": ("reason = 'x'", "until = 5"),
    "erasures": ("person = '1'", "who = 'x'"),
    "cdrs": ("billsec = billsec + 1", "src = '999'", "recordingfile = ''"),
}  # fmt: skip


def _row(forger: Forger, chance: random.Random, table: str) -> tuple[str, str]:
    name, key = _ROWS[table]
    [id] = chance.choice(forger.all(f"SELECT {key} FROM {table} ORDER BY 1"))
    return name.format(id), f"{key} = '{id}'"


def row_dropped(forger: Forger, chance: random.Random) -> str:
    table = chance.choice(sorted(_ROWS))
    name, where = _row(forger, chance, table)
    forger.db.execute(f"DELETE FROM {table} WHERE {where}")
    return name


def row_changed(forger: Forger, chance: random.Random) -> str:
    table = chance.choice(sorted(_CHANGES))
    name, where = _row(forger, chance, table)
    forger.db.execute(f"UPDATE {table} SET {chance.choice(_CHANGES[table])} WHERE {where}")
    return name


def link_turned_elsewhere(forger: Forger, chance: random.Random) -> str:
    name, where = _row(forger, chance, "cdr_links")
    [(other,)] = forger.all(
        f"SELECT id FROM recordings WHERE id NOT IN (SELECT recording_id FROM cdr_links WHERE {where}) LIMIT 1"
    )
    forger.db.execute(f"UPDATE cdr_links SET recording_id = ? WHERE {where}", (other,))
    return name


def _insert(forger: Forger, table: str, row: Any) -> None:
    stored = codec.to_plain(row)
    for name in ("started_at", "ended_at", "at", "start", "answer", "end", "released_at"):
        if isinstance(stored.get(name), float):
            stored[name] = chain.micros(stored[name])
    values = [json.dumps(v) if isinstance(v, list | dict) else v for v in stored.values()]
    columns = ", ".join(f'"{name}"' for name in stored)
    forger.db.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(values))})", values)


def row_put_in(forger: Forger, chance: random.Random) -> str:
    number = chance.randrange(1, 5)
    table, row, name = chance.choice(
        [
            ("intervals", forger.world.interval(number, id="forged"), "Interval:forged"),
            ("cdr_links", sample.link("9.9", 1, f"r{number}"), f"CdrLink:9.9:1:r{number}"),
            ("holds", hold("forged"), "Hold:forged"),
        ]
    )
    _insert(forger, table, row)
    return name


def _forged_recording(forger: Forger, chance: random.Random) -> Any:
    at = START + chance.uniform(0, DAY)
    row = forger.world.recording(77, seconds=1.0, at=at, stereo="")
    _insert(forger, "recordings", row)
    (forger.world.monitor / row.folder / row.name).write_bytes(chance.randbytes(999))
    return row


def recording_back_dated(forger: Forger, chance: random.Random) -> str:
    _forged_recording(forger, chance)
    return "recording r77"


def recording_back_dated_with_an_entry(forger: Forger, chance: random.Random) -> str:
    row = _forged_recording(forger, chance)
    entries = forger.entries()
    forged = replace(
        entries[-1], kind="closed", recording_id="r77", object="", detail={"rows": digests([row])}
    )
    forger.put_entries([*entries, replace(forged, at=entries[-1].at + 3600)], hashed=True)
    return f"entry {len(entries) + 1}"


def whole_call_gone(forger: Forger, chance: random.Random) -> str:
    number = chance.choice([1, 2, 3, 4])
    for table, column in (("intervals", "recording_id"), ("recordings", "id"), ("kept", "recording_id"),
                          ("cdr_links", "recording_id")):  # fmt: skip
        forger.db.execute(f"DELETE FROM {table} WHERE {column} = ?", (f"r{number}",))
    forger.db.execute("DELETE FROM conversations WHERE id = ?", (f"c{number}",))
    forger.world.mix(number).unlink(missing_ok=True)
    forger.world.kept(number).unlink(missing_ok=True)
    return f"Recording:r{number}"


def whole_call_gone_with_its_entries(forger: Forger, chance: random.Random) -> str:
    id = whole_call_gone(forger, chance).partition(":")[2]
    left = [entry for entry in forger.entries() if entry.recording_id != id]
    forger.put_entries(left, hashed=chance.random() < 0.7)
    return "entry"


# --- entries -------------------------------------------------------------------------------------------


def entry_dropped(forger: Forger, chance: random.Random) -> str:
    entries = forger.entries()
    gone = entries.pop(chance.randrange(len(entries) - 1))
    forger.put_entries(entries, hashed=False)
    return f"entry {gone.sequence}"


def entry_dropped_and_hashed_anew(forger: Forger, chance: random.Random) -> str:
    entries = forger.entries()
    entries.pop(chance.randrange(len(entries) - 1))
    forger.put_entries(entries, hashed=True)
    return "entry"


def end_cut_off(forger: Forger, chance: random.Random) -> str:
    entries = forger.entries()
    forger.put_entries(entries[: -chance.randrange(1, 4)], hashed=False)
    return f"head {forger.heads()[-1].number}"


def _changed(entry: ChainEntry, chance: random.Random) -> ChainEntry:
    detail = {**entry.detail, "who": "somebody else"}
    return chance.choice(
        [
            replace(entry, kind="released" if entry.kind != "released" else "held"),
            replace(entry, object="x" + entry.object),
            replace(entry, detail=detail),
            replace(entry, at=entry.at + 1e-6),
            replace(entry, recording_id="r99"),
        ]
    )


def entry_changed(forger: Forger, chance: random.Random) -> str:
    entries = forger.entries()
    place = chance.randrange(len(entries))
    entries[place] = _changed(entries[place], chance)
    forger.put_entries(entries, hashed=False)
    return f"entry {place + 1}"


def entry_changed_and_hashed_anew(forger: Forger, chance: random.Random) -> str:
    entries = forger.entries()
    place = chance.randrange(len(entries))
    entries[place] = _changed(entries[place], chance)
    forger.put_entries(entries, hashed=True)
    return "entry"


def entries_exchanged(forger: Forger, chance: random.Random) -> str:
    entries = forger.entries()
    one, other = chance.sample(range(len(entries)), 2)
    hashed = chance.random() < 0.5
    first, second = entries[one], entries[other]
    entries[one] = replace(second, sequence=first.sequence)
    entries[other] = replace(first, sequence=second.sequence)
    forger.put_entries(entries, hashed=hashed)
    return "entry"


def entry_put_in(forger: Forger, chance: random.Random) -> str:
    entries = forger.entries()
    place = chance.randrange(1, len(entries))
    forged = replace(entries[place - 1], recording_id="", kind="held", object="forged", detail={})
    forger.put_entries([*entries[:place], forged, *entries[place:]], hashed=True)
    return "entry"


def clock_set_back(forger: Forger, chance: random.Random) -> str:
    entries = forger.entries()
    place = chance.randrange(1, len(entries))
    entries[place] = replace(entries[place], at=entries[place - 1].at - chance.uniform(60, 9e6))
    forger.put_entries(entries, hashed=True)
    return f"entry {place + 1}"


def clock_set_back_while_it_was_made(forger: Forger, chance: random.Random) -> str:
    """What the appender itself writes down when somebody turns the machine's clock back."""
    from recorderd.core.chain import Draft, Kind
    from recorderd.store.chain import link

    entries = forger.entries()
    draft = Draft(kind=Kind.HELD, object="forged")
    made = link(draft, entries[-1].at - chance.uniform(60, 9e6), entries[-1])
    forger.put_entries([*entries, made], hashed=False)
    return f"entry {made.sequence}"


# --- heads and keys -------------------------------------------------------------------------------------


def head_forged(forger: Forger, chance: random.Random) -> str:
    found = forger.heads()
    place = chance.randrange(len(found))
    old = found[place]
    found[place] = chance.choice(
        [
            replace(old, hash=f"{int(old.hash, 16) ^ 1:064x}"),
            replace(old, at=old.at - 3600),
            replace(old, day="2020-01-01"),
            replace(old, sequence=old.sequence - 1),
            replace(old, signature=f"{int(old.signature, 16) ^ 1 << chance.randrange(500):0128x}"),
        ]
    )
    both = chance.random() < 0.5
    forger.put_heads(found, file=both)
    return f"head {old.number}"


def head_gone(forger: Forger, chance: random.Random) -> str:
    found = forger.heads()
    gone = found.pop(chance.randrange(len(found) - 1))
    places = chance.choice([{"database": False}, {"file": False}, {}])
    forger.put_heads(found, **places)
    return f"head {gone.number}"


def heads_exchanged(forger: Forger, chance: random.Random) -> str:
    found = forger.heads()
    one, other = chance.sample(range(len(found)), 2)
    first, second = found[one], found[other]
    found[one] = replace(second, number=first.number)
    found[other] = replace(first, number=second.number)
    forger.put_heads(found)
    return f"head {first.number}"


def heads_file_gone(forger: Forger, _chance: random.Random) -> str:
    (forger.world.state / heads.NAME).unlink()
    return "heads.jsonl"


def another_key(forger: Forger, chance: random.Random) -> str:
    """The database and the file of heads, all signed anew, but not the key in its place."""
    if chance.random() < 0.5:
        entry_changed_and_hashed_anew(forger, chance)
    made = forger.signed_anew(signing.load(forger.world.folder / "forger.key"))
    forger.put_heads(made)
    return f"head {made[0].number}"


def everything_signed_anew(forger: Forger, chance: random.Random) -> str:
    """With the key itself: what was published stands against it, and nothing else does."""
    entry_changed_and_hashed_anew(forger, chance)
    made = forger.signed_anew(signing.load(forger.world.config.signing_key))
    forger.put_heads(made)
    return "head"


DEEDS: tuple[Deed, ...] = (
    bit_of_a_file, file_truncated, file_longer, files_swapped, file_gone, deleted_file_back, row_dropped,
    row_changed, link_turned_elsewhere, row_put_in, recording_back_dated, recording_back_dated_with_an_entry,
    whole_call_gone, whole_call_gone_with_its_entries, entry_dropped, entry_dropped_and_hashed_anew, end_cut_off,
    entry_changed, entry_changed_and_hashed_anew, entries_exchanged, entry_put_in, clock_set_back,
    clock_set_back_while_it_was_made, head_forged, head_gone, heads_exchanged, heads_file_gone, another_key,
    everything_signed_anew,
)  # fmt: skip


def committed(folder: Path) -> None:
    """The database is one file again."""
    with closing(sqlite3.connect(folder / "recorderd.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
