"""Kinds of tampering with a bundle: see `tampering`. The forger may pack and sign it anew, with a key of his own."""

from __future__ import annotations

import hashlib
import json
import random
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recorderd.archive import signing
from recorderd.archive.verify_bundle import canonical, central_header, digest, end_record, local_header

# From a bundle to another; what must be named.
BundleDeed = Callable[[Path, Path, signing.Key, random.Random], str]
Members = dict[str, bytes]


def unpack(path: Path) -> Members:
    with zipfile.ZipFile(path) as bundle:
        return {info.filename: bundle.read(info) for info in bundle.infolist()}


def pack(members: Members) -> bytes:
    body, central = b"", b""
    for name, data in members.items():
        crc, word = zlib.crc32(data), name.encode()
        central += central_header(word, crc, len(data), len(body))
        body += local_header(word, crc, len(data)) + data
    return body + central + end_record(len(members), len(central), len(body))


def _lines(members: Members, name: str) -> list[Any]:
    return [json.loads(line) for line in members[name].splitlines()]


def _put(members: Members, name: str, lines: list[Any]) -> None:
    members[name] = b"".join(canonical(line) + b"\n" for line in lines)


def _packed(members: Members, to: Path, key: signing.Key, chance: random.Random) -> None:
    """As it is; or listed anew; or listed and signed anew with the forger's key, his name on it or not."""
    way = chance.randrange(4)
    if way:
        manifest = json.loads(members["manifest.json"])
        others = {n: d for n, d in members.items() if n not in ("manifest.json", "manifest.sig")}
        if way == 3:
            manifest["public_key"] = key.public
            others["public_key.txt"] = members["public_key.txt"] = f"{key.public}\n".encode()
        sums = {n: {"sha256": hashlib.sha256(d).hexdigest(), "size": len(d)} for n, d in others.items()}
        members["manifest.json"] = canonical({**manifest, "files": sums})
        if way > 1:
            signature = key.sign(b"recorderd bundle 1\n" + members["manifest.json"])
            members["manifest.sig"] = f"{signature}\n".encode()
    to.write_bytes(pack(members))


# --- the container -----------------------------------------------------------------------------------


def any_bit(bundle: Path, to: Path, _key: signing.Key, chance: random.Random) -> str:
    data = bytearray(bundle.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    to.write_bytes(data)
    return ""


def end_missing(bundle: Path, to: Path, _key: signing.Key, chance: random.Random) -> str:
    data = bundle.read_bytes()
    to.write_bytes(data[: chance.randrange(1, len(data))])
    return "bundle"


def something_behind(bundle: Path, to: Path, _key: signing.Key, chance: random.Random) -> str:
    to.write_bytes(bundle.read_bytes() + chance.randbytes(chance.randrange(1, 30)))
    return "directory"


def _sound(members: Members, chance: random.Random) -> str:
    return chance.choice([name for name in members if name.startswith("audio/")])


# --- files -------------------------------------------------------------------------------------------


def sound_changed(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    name = _sound(members, chance)
    data = bytearray(members[name])
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    members[name] = bytes(data)
    _packed(members, to, key, chance)
    return name


def sound_truncated(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    name = _sound(members, chance)
    members[name] = members[name][: -chance.randrange(1, 400)]
    _packed(members, to, key, chance)
    return name


def sounds_swapped(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    one, other = chance.sample([name for name in members if name.startswith("audio/")], 2)
    members[one], members[other] = members[other], members[one]
    _packed(members, to, key, chance)
    return one


def file_gone(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    name = _sound(members, chance)
    del members[name]
    _packed(members, to, key, chance)
    return name


def file_put_in(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    members["audio/2026/11/18/forged.wav"] = chance.randbytes(50)
    _packed(members, to, key, chance)
    return "forged.wav"


def listener_gone(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    """Or policy, or what the README says: what no entry names is under the signature alone."""
    members = unpack(bundle)
    name = chance.choice(["listeners.jsonl", "policy.jsonl", "more.jsonl", "README.txt"])
    members[name] = members[name][:-1] if members[name] else b"{}\n"
    way = chance.randrange(4)
    _packed(members, to, key, random.Random(way))
    return ""


# --- rows and entries ----------------------------------------------------------------------------------


def row_gone(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    rows = _lines(members, "ledger.jsonl")
    kind, row = rows.pop(chance.randrange(len(rows)))
    _put(members, "ledger.jsonl", rows)
    _packed(members, to, key, chance)
    return f"{kind}:{row.get('id', row.get('uniqueid'))}"


def row_changed(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    rows = _lines(members, "ledger.jsonl")
    kind, row = chance.choice(rows)
    field = chance.choice(
        [n for n in row if n not in ("id", "uniqueid", "sequence", "recording_id")] or ["more"]
    )
    row[field] = "forged"
    _put(members, "ledger.jsonl", rows)
    _packed(members, to, key, chance)
    return f"{kind}:{row.get('id', row.get('uniqueid'))}"


def row_put_in(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    rows = _lines(members, "ledger.jsonl")
    _kind, row = chance.choice([line for line in rows if line[0] == "Interval"])
    _put(members, "ledger.jsonl", [*rows, ["Interval", {**row, "id": "forged"}]])
    _packed(members, to, key, chance)
    return "Interval:forged"


def whole_call_gone(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    id = chance.choice(["r1", "r2", "r3", "r4"])
    rows = [
        (k, r) for k, r in _lines(members, "ledger.jsonl") if id not in (r.get("id"), r.get("recording_id"))
    ]
    _put(members, "ledger.jsonl", rows)
    number = f"0000{id[1]}-"
    for name in [name for name in members if number in name]:
        del members[name]
    _packed(members, to, key, chance)
    return f"Recording:{id}"


def _entries_changed(
    bundle: Path, to: Path, key: signing.Key, chance: random.Random, change: Callable[[list[Any]], str]
) -> str:
    members = unpack(bundle)
    entries = _lines(members, "chain.jsonl")
    named = change(entries)
    if chance.random() < 0.5:
        for before, entry in zip([None, *entries], entries, strict=False):
            entry["previous"] = before["hash"] if before else entry["previous"]
            sealed = digest(entry["body"]) if "body" in entry else entry["sealed"]
            entry["hash"] = digest([entry["sequence"], entry["previous"], sealed])
    _put(members, "chain.jsonl", entries)
    _packed(members, to, key, chance)
    return named


def entry_gone(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    def change(entries: list[Any]) -> str:
        entries.pop(chance.randrange(1, len(entries) - 1))
        return "entry"

    return _entries_changed(bundle, to, key, chance, change)


def entry_changed(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    def change(entries: list[Any]) -> str:
        entry = chance.choice([entry for entry in entries if "body" in entry])
        entry["body"]["detail"]["who"] = "forged"
        return "entry"

    return _entries_changed(bundle, to, key, chance, change)


def entries_exchanged(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    def change(entries: list[Any]) -> str:
        one, other = chance.sample(range(len(entries)), 2)
        entries[one], entries[other] = entries[other], entries[one]
        return "entry"

    return _entries_changed(bundle, to, key, chance, change)


def clock_set_back(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    def change(entries: list[Any]) -> str:
        entry = chance.choice([entry for entry in entries if "body" in entry][1:])
        entry["body"]["at"] = entries[0]["body"]["at"] - 3_600_000_000
        return f"entry {entry['sequence']} is older"

    return _entries_changed(bundle, to, key, chance, change)


def end_cut_off(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    def change(entries: list[Any]) -> str:
        del entries[-1:]
        return "the chain"

    return _entries_changed(bundle, to, key, chance, change)


# --- heads and keys --------------------------------------------------------------------------------------


def head_forged(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    heads = _lines(members, "heads.jsonl")
    head = chance.choice(heads)
    head[chance.choice(["day", "hash", "previous"])] = "2020-01-01"
    if chance.random() < 0.5:
        plain = {name: value for name, value in head.items() if name != "signature"}
        head["signature"] = key.sign(b"recorderd head 1\n" + canonical(plain))
    _put(members, "heads.jsonl", heads)
    _packed(members, to, key, chance)
    return f"head {head['number']}"


def head_gone(bundle: Path, to: Path, key: signing.Key, chance: random.Random) -> str:
    members = unpack(bundle)
    heads = _lines(members, "heads.jsonl")
    heads.pop(chance.randrange(1, len(heads) - 1))
    _put(members, "heads.jsonl", heads)
    _packed(members, to, key, chance)
    return "head"


def public_key_replaced(bundle: Path, to: Path, key: signing.Key, _chance: random.Random) -> str:
    members = unpack(bundle)
    members["public_key.txt"] = f"{key.public}\n".encode()
    to.write_bytes(pack(members))
    return "key"


def everything_signed_anew(bundle: Path, to: Path, key: signing.Key, _chance: random.Random) -> str:
    """By the forger's own key throughout: only who has the true key from elsewhere can tell."""
    members = unpack(bundle)
    heads = _lines(members, "heads.jsonl")
    before = ""
    for head in heads:
        head |= {"public_key": key.public} | ({"previous": before} if before else {})
        plain = {name: value for name, value in head.items() if name != "signature"}
        head["signature"] = key.sign(b"recorderd head 1\n" + canonical(plain))
        before = digest(head)
    _put(members, "heads.jsonl", heads)
    _packed(members, to, key, random.Random(3))
    return "head"


BUNDLE_DEEDS: tuple[BundleDeed, ...] = (
    any_bit, end_missing, something_behind, sound_changed, sound_truncated, sounds_swapped, file_gone, file_put_in,
    listener_gone, row_gone, row_changed, row_put_in, whole_call_gone, entry_gone, entry_changed,
    entries_exchanged, clock_set_back, end_cut_off, head_forged, head_gone, public_key_replaced,
    everything_signed_anew,
)  # fmt: skip
