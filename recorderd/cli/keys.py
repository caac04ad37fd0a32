"""keys: what the archive is encrypted with, a new key, and other keys for what is kept already.

Owns the command. Must not know how a file is encrypted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from recorderd.cli.command import Command, Exit, Wrong
from recorderd.cli.output import show, table
from recorderd.cli.storing import with_store
from recorderd.config import Config
from recorderd.errors import AudioError

if TYPE_CHECKING:
    from recorderd.daemon.rotation import Rotated, Rotation
    from recorderd.store.abc import Store

T = TypeVar("T")


def _keys(args: argparse.Namespace, config: Config) -> int:
    return _ACTIONS[args.action](args, config)


def _list(args: argparse.Namespace, config: Config) -> int:
    from recorderd.clerk.entries import keyring_of

    encryption = config.archive.encryption
    ring = keyring_of(config)
    counts = _rotating(config, lambda rotation: rotation.count())
    ids = list(dict.fromkeys([*encryption.keys, *(id for id in counts if id not in ("", "?"))]))
    data: dict[str, Any] = {
        "active": encryption.key_id,
        "keys": [
            {"id": id, "place": encryption.keys.get(id, ""), "files": counts[id], "fault": _fault(ring, id)}
            for id in ids
        ],
        "unencrypted": counts[""],
        "unreadable": counts["?"],
    }
    show(args, data, _list_text)
    missing = any(key["fault"] and (key["files"] or key["id"] == encryption.key_id) for key in data["keys"])
    return Exit.NO if missing else Exit.OK


def _fault(ring: Callable[[str], object], id: str) -> str:
    try:
        ring(id)
    except AudioError as error:
        return str(error)
    return ""


def _list_text(data: Mapping[str, Any]) -> str:
    rows = [
        (key["id"], "new files" if key["id"] == data["active"] else "", str(key["files"]), key["place"])
        for key in data["keys"]
    ]
    lines = [table(("key", "for", "files", "from"), rows, "there is no key")]
    lines.append(f"{data['unencrypted']} files are not encrypted")
    if data["unreadable"]:
        lines.append(f"{data['unreadable']} files cannot be read")
    lines += [key["fault"] for key in data["keys"] if key["fault"]]
    return "\n".join(lines)


def _make(args: argparse.Namespace, _config: Config) -> int:
    from recorderd.archive import keyring

    if not args.file:
        raise Wrong("say which file to make: recorderd keys make FILE")
    path = Path(args.file).absolute()
    keyring.make(path)
    show(args, {"file": str(path)}, lambda _: f"{path} has a new key: keep a copy of it in another place")
    return Exit.OK


def _rotate(args: argparse.Namespace, config: Config) -> int:
    if not config.archive.encryption.key_id and not args.decrypt:
        raise Wrong("archive.encryption.key_id is empty: with --decrypt every file is decrypted for good")
    if config.archive.encryption.key_id and args.decrypt:
        raise Wrong("--decrypt needs an empty archive.encryption.key_id, or the next file is encrypted again")
    done: Rotated = _rotating(config, lambda rotation: rotation.run())
    data = {"changed": done.changed, "same": done.same, "failed": done.failed}
    show(args, data, lambda _: "\n".join([_rotated_text(done, config), *done.failed]))
    return Exit.IO if done.failed else Exit.OK


def _rotated_text(done: Rotated, config: Config) -> str:
    key = config.archive.encryption.key_id
    what = f"encrypted with key “{key}”" if key else "decrypted"
    return f"{done.changed} recordings were {what}, {done.same} were so before, {len(done.failed)} failed"


def _rotating(config: Config, work: Callable[[Rotation], Awaitable[T]]) -> T:
    async def ask(store: Store) -> T:
        from recorderd.clerk.entries import keyring_of
        from recorderd.daemon.buckets import stock_of
        from recorderd.daemon.ids import new_id
        from recorderd.daemon.keeper import Keeper
        from recorderd.daemon.rotation import Rotation

        stock = stock_of(config, store)
        keeper = Keeper(
            store, config.spool.monitor, config.state, time.time, new_id, node=config.node, stock=stock
        )
        bucket = stock.bucket if stock else None
        return await work(Rotation(keeper, config.spool.monitor, keyring_of(config), bucket))

    return with_store(config, ask)


_ACTIONS: Mapping[str, Callable[[argparse.Namespace, Config], int]] = {
    "list": _list,
    "make": _make,
    "rotate": _rotate,
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=_ACTIONS, help="list, make FILE, or rotate")
    parser.add_argument("file", nargs="?", default="", help="where `make` puts the new key")
    parser.add_argument(
        "--decrypt", action="store_true", help="rotate: decrypt all that is kept, now that there is no key"
    )


KEYS = Command("what the archive is encrypted with; rotate: other keys for what is kept", _keys, _arguments)
