#!/usr/bin/env python3
"""Checks a bundle of recordings exported by recorderd, with nothing but Python 3.9 or newer.

    python3 verify.py BUNDLE.zip [--key PUBLIC_KEY] [--heads PUBLISHED_HEADS] [--json]

Exit code 0: everything in it is as it was entered and signed; 1: something is not, and is named.
Without --key it proves only that the owner of the key in the bundle made it: compare that key with one that came
to you another way. It shares no code with recorderd, so that a fault of one is no fault of the other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import sys
import zipfile
import zlib
from typing import Any, BinaryIO

ZEROS = "0" * 64
KEYS = {
    "Recording": ["id"], "Conversation": ["id"], "Interval": ["id"], "Cdr": ["uniqueid", "sequence"],
    "CdrLink": ["uniqueid", "sequence", "recording_id"],
}  # fmt: skip
Faults = list[dict[str, str]]
# Ed25519, RFC 8032 section 5.1.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


def _add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(s: int, p: Point) -> Point:
    q: Point = (0, 1, 1, 0)
    while s:
        if s & 1:
            q = _add(q, p)
        p, s = _add(p, p), s >> 1
    return q


def _point(data: bytes) -> Point:
    """The point of 32 bytes. ValueError when they are none."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if len(data) != 32 or y >= P:
        raise ValueError("no point")
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (x == 0 and sign):
        raise ValueError("no point")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(public: str, message: bytes, signature: str) -> bool:
    """Whether the owner of this public key signed this message."""
    try:
        key, sig = bytes.fromhex(public), bytes.fromhex(signature)
        a, r, s = _point(key), _point(sig[:32]), int.from_bytes(sig[32:], "little")
    except (ValueError, TypeError):
        return False
    if len(sig) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(sig[:32] + key + message).digest(), "little") % L
    left, right = _times(s, BASE), _add(r, _times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P


def canonical(thing: Any) -> bytes:
    return json.dumps(thing, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest(thing: Any) -> str:
    return hashlib.sha256(canonical(thing)).hexdigest()


# The container is a zip of exactly one shape, so that no bit of it can change unseen.
def local_header(name: bytes, crc: int, size: int) -> bytes:
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0x800, 0, 0, 0x21, crc, size, size, len(name), 0) + name


def central_header(name: bytes, crc: int, size: int, offset: int) -> bytes:
    return struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 0x314, 20, 0x800, 0, 0, 0x21, crc, size, size, len(name), 0, 0, 0, 0,
        0o100640 << 16, offset,
    ) + name  # fmt: skip


def end_record(count: int, size: int, offset: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, 0)


def read_container(file: BinaryIO, faults: Faults) -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """Hash and size of every member, and the text of those that are no audio."""
    found: dict[str, dict[str, Any]] = {}
    texts: dict[str, bytes] = {}
    central, offset = b"", 0
    for info in zipfile.ZipFile(file).infolist():
        name = info.filename.encode("utf-8", "surrogateescape")
        header = local_header(name, info.CRC, info.file_size)
        file.seek(offset)
        if file.read(len(header)) != header:
            say(faults, "container", info.filename, "has another header than it must")
        sha, crc, left, parts = hashlib.sha256(), 0, info.file_size, []
        while left and (block := file.read(min(left, 1 << 20))):
            sha.update(block)
            crc, left = zlib.crc32(block, crc), left - len(block)
            if not info.filename.startswith("audio/"):
                parts.append(block)
        if left or crc != info.CRC:
            say(faults, "file-changed", info.filename, "has a wrong checksum")
        found[info.filename] = {"sha256": sha.hexdigest(), "size": info.file_size - left}
        texts[info.filename] = b"".join(parts)
        central += central_header(name, info.CRC, info.file_size, offset)
        offset += len(header) + info.file_size
    file.seek(offset)
    if file.read() != central + end_record(len(found), len(central), offset):
        say(faults, "container", "the directory", "of files at the end of the bundle was changed")
    return found, texts


def say(faults: Faults, kind: str, what: str, wrong: str) -> None:
    if (fault := {"kind": kind, "what": what, "sentence": f"{what} {wrong}"}) not in faults:
        faults.append(fault)


def lines(texts: dict[str, bytes], name: str) -> list[Any]:
    return [json.loads(line) for line in texts.get(name, b"").splitlines()]


def check_manifest(files: dict[str, Any], texts: dict[str, bytes], key: str, faults: Faults) -> Any:
    """Every file against the signed list; the key to be believed, and the manifest."""
    raw, shown = texts.get("manifest.json", b""), texts.get("public_key.txt", b"").decode("latin-1").strip()
    manifest = json.loads(raw or b"{}")
    public = key or str(manifest.get("public_key"))
    if not public == shown == manifest.get("public_key"):
        say(faults, "another-key", "the bundle", f"is by the key {shown}, not by {public}")
    signature = texts.get("manifest.sig", b"").decode("latin-1").strip()
    if not verifies(public, b"recorderd bundle 1\n" + raw, signature):
        say(faults, "bad-signature", "manifest.json", "is not what was signed")
    listed = manifest.get("files", {})
    for name, file in listed.items():
        if name not in files:
            say(faults, "file-gone", name, "is gone")
        elif files[name] != file:
            of = [n for n, other in listed.items() if other["sha256"] == files[name]["sha256"]]
            kind = "file-truncated" if files[name]["size"] < file["size"] else "file-changed"
            kind, wrong = ("file-swapped", f"holds {of[0]}") if of else (kind, "is not what was signed")
            say(faults, kind, name, wrong)
    for name in files.keys() - listed.keys() - {"manifest.json", "manifest.sig"}:
        say(faults, "file-added", name, "was put in")
    return public, manifest


def check_heads(heads: list[Any], public: str, published: list[Any], faults: Faults) -> dict[int, Any]:
    """The heads by the entry that each signed."""
    last: dict[str, Any] = {}
    for head in heads:
        what, plain = f"head {head['number']}", {k: v for k, v in head.items() if k != "signature"}
        if head["public_key"] != public:
            say(faults, "another-key", what, "is by another key")
        if not verifies(public, b"recorderd head 1\n" + canonical(plain), head["signature"]):
            say(faults, "head-forged", what, f"of {head['day']} has a wrong signature")
        if last and head["number"] != last["number"] + 1:
            say(faults, "head-gone", what, "has lost the head before it, or they are in another order")
        elif (last or head["number"] == 1) and head["previous"] != (digest(last) if last else ZEROS):
            say(faults, "head-broken", what, "does not follow the head before it")
        if last and (head["at"] < last["at"] or head["sequence"] < last["sequence"]):
            say(faults, "time-back", what, "is older than the head before it")
        last = head
    numbers = {head["number"]: head for head in heads}
    for head in published:
        if head["number"] in numbers and numbers[head["number"]] != head:
            say(faults, "head-changed", f"head {head['number']}", "is not the published one")
    return {head["sequence"]: head for head in heads}


def check_chain(chain: list[Any], gaps: list[Any], heads: dict[int, Any], faults: Faults) -> list[Any]:
    """The entries whose words are in the bundle. Of the others only what holds the chain together is."""
    last: dict[str, Any] = {}
    time, told = 0, []
    for entry in chain:
        what, body = f"entry {entry['sequence']}", entry.get("body")
        sealed = digest(body) if body is not None else entry["sealed"]
        if entry["hash"] != digest([entry["sequence"], entry["previous"], sealed]):
            say(faults, "entry-changed", what, "was changed after it was made")
        if entry["sequence"] != last.get("sequence", 0) + 1:
            if [last.get("sequence", 0), entry["sequence"]] not in gaps:
                say(faults, "entry-gone", what, "has lost entries before it, or they are in another order")
        elif last and entry["previous"] != last["hash"]:
            say(faults, "chain-broken", what, "does not follow the entry before it")
        head = heads.get(entry["sequence"])
        if head is not None and head["hash"] != entry["hash"]:
            say(faults, "not-as-signed", what, f"is not the one that head {head['number']} signed")
        last = entry
        if body is None:
            continue
        told.append({**body, "sequence": entry["sequence"]})
        if body["at"] < time or (head is not None and head["at"] < body["at"]):
            say(faults, "time-back", what, "is older than the entry before it, or younger than its head")
        time = max(time, body["at"])
        if "clock_behind" in body["detail"]:
            say(faults, "clock-set-back", what, "was made while the clock was set back")
        if body["digest"] != (digest(body["detail"]["rows"]) if body["detail"].get("rows") else ""):
            say(faults, "entry-changed", what, "has another digest than its rows")
    if last.get("sequence") not in heads:
        say(faults, "chain-cut", "the chain", "ends with an entry that no head signed")
    return told


def check_rows(ledger: list[Any], entries: list[Any], faults: Faults) -> None:
    found = {":".join([c, *(str(row[k]) for k in KEYS[c])]): digest([c, row]) for c, row in ledger}
    known = {name: value for entry in entries for name, value in entry["detail"].get("rows", {}).items()}
    for name, value in known.items():
        if name not in found:
            say(faults, "row-gone", name, "is gone from the ledger")
        elif found[name] != value:
            say(faults, "row-changed", name, "is not as it was entered")
    for name in found.keys() - known.keys():
        say(faults, "row-added", name, "was put in: nobody entered it")


def check_audio(files: dict[str, Any], entries: list[Any], faults: Faults) -> None:
    wanted: dict[str, dict[str, Any]] = {}
    for entry in entries:
        mine = wanted.setdefault(entry["recording_id"], {})
        if entry["kind"] in ("closed", "kept", "deleted"):
            mine.clear()
            mine.update(entry["detail"].get("files", {}))
    names = {"audio/" + name.lstrip("/"): file for mine in wanted.values() for name, file in mine.items()}
    for name, file in names.items():
        if name not in files:
            say(faults, "file-gone", name, "is gone")
        elif files[name] != file:
            say(faults, "file-changed", name, "is not what was entered into the chain")
    for name in [name for name in files if name.startswith("audio/") and name not in names]:
        say(faults, "file-added", name, "was put in: nobody entered it")


def verify(path: str, key: str = "", published: str = "") -> tuple[Faults, str]:
    """Everything that is wrong with a bundle, and the key it is by. OSError when it cannot be read."""
    faults: Faults = []
    public, given = key, []
    if published:
        with open(published, encoding="ascii") as text:
            given = [json.loads(line) for line in text if line.strip()]
    with open(path, "rb") as file:
        try:
            files, texts = read_container(file, faults)
            public, manifest = check_manifest(files, texts, key, faults)
            heads = check_heads(lines(texts, "heads.jsonl"), public, given, faults)
            entries = check_chain(lines(texts, "chain.jsonl"), manifest["gaps"], heads, faults)
            check_rows(lines(texts, "ledger.jsonl"), entries, faults)
            check_audio(files, entries, faults)
        except (zipfile.BadZipFile, struct.error, EOFError) as error:
            say(faults, "container", path, f"is no whole bundle: {error}")
        except (ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            say(faults, "container", path, f"is not as recorderd writes it: {error!r}")
    return faults, public


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks a bundle of recordings exported by recorderd.")
    parser.add_argument("bundle")
    parser.add_argument("--key", default="", help="the public key, from elsewhere than the bundle")
    parser.add_argument("--heads", default="", help="heads that were published")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        faults, public = verify(args.bundle, args.key.strip().lower(), args.heads)
    except (OSError, ValueError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 66
    if args.json:
        print(json.dumps({"proven": not faults, "public_key": public, "faults": faults}, indent=2))
    else:
        for fault in faults:
            print(ascii(f"{fault['kind']}: {fault['sentence']}")[1:-1])
        print("NOT AS IT WAS" if faults else "everything is as it was entered and signed")
        print(f"key: {public!a}" + ("" if args.key else ": compare it with one that came another way"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
