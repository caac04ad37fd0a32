"""What of this machine recorderd stands on: database, disk, programs, the daemon itself.

Owns how each is tried. Changes nothing but a file of no bytes that it makes and removes in the spool.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from recorderd.cli.command import Exit, exit_code
from recorderd.cli.findings import Finding, Level
from recorderd.cli.storing import sqlite_file, with_store
from recorderd.config import Config, merge_policy
from recorderd.control.client import ControlClient
from recorderd.core.keeping import IN_PLACE
from recorderd.errors import AudioError, ControlError, EvidenceError, RecorderdError, StoreError

if TYPE_CHECKING:
    from recorderd.store.abc import PolicyRows, Store

# A WAV of one hour and one voice is 57.6 MB: less than this is soon full.
FREE_BYTES = 2 << 30
FREE_SHARE = 0.05
AS_ROOT = "this is what root may do: try it as recorderd's own user (sudo -u recorderd)"


async def _load(store: Store) -> PolicyRows:
    return await store.load_policy()


def database(config: Config) -> list[Finding]:
    """That the store answers and has our schema."""
    if file := _to_be_made(config):
        sentence = f"there is none at {file} yet: recorderd makes it when it starts"
        return [Finding("database", Level.WARNING, sentence)]
    try:
        rows = with_store(config, _load)
    except StoreError as error:
        return [Finding("database", Level.PROBLEM, str(error), exit_code(error))]
    return [Finding("database", Level.OK, f"it answers; policy is at version {rows.version}")]


def _to_be_made(config: Config) -> Path | None:
    """The database's file where it is not there yet and can be made."""
    file = sqlite_file(config)
    return file if file is not None and not file.exists() and file.parent.is_dir() else None


def policy(config: Config) -> list[Finding]:
    """That the store's rules can be read with the file's lists."""
    try:
        rows = with_store(config, _load)
    except StoreError:
        return []  # told by `database`
    merged, faults = merge_policy(config, rows.extensions, rows.rules, rows.version)
    found = [
        Finding("policy", Level.PROBLEM, f"a rule is left out: {fault}", Exit.CONFIG) for fault in faults
    ]
    if not merged.extensions and not merged.rules and not found:
        found.append(Finding("policy", Level.WARNING, "no extension has a policy and there is no rule"))
    count = f"{len(merged.extensions)} extensions, {len(merged.rules)} rules"
    return found or [Finding("policy", Level.OK, count)]


def cdr_table(config: Config) -> list[Finding]:
    """That Asterisk's own table is there and has the columns, and may be written where it is to be."""
    if config.cdr.source == "ami":
        sentence = "CDRs come from AMI's events: of calls made while recorderd is down there will be none"
        return [Finding("cdr table", Level.WARNING, sentence)]

    from recorderd.store.asterisk_cdr import AsteriskCdrTable

    async def look() -> None:
        table = AsteriskCdrTable(config.cdr.source, zone=config.zone, table=config.cdr.table)
        try:
            await table.check()
            if config.cdr.writable:
                await table.check_writable()
        finally:
            await table.close()

    try:
        asyncio.run(look())
    except StoreError as error:
        return [Finding("cdr table", Level.PROBLEM, str(error), exit_code(error))]
    rights = "may be completed" if config.cdr.writable else "is only read"
    return [Finding("cdr table", Level.OK, f"{config.cdr.table} has what is needed, and {rights}")]


def spool(config: Config) -> list[Finding]:
    """That we can write where audio and state go, that Asterisk can too, and that there is room."""
    found = []
    if os.geteuid() == 0:
        # Root may write everywhere, and the daemon is not root.
        found.append(Finding("spool", Level.WARNING, AS_ROOT))
    for folder in (config.spool.monitor, config.spool.lanes, *config.spool.fallback):
        found += _folder(folder, shared=True)
    return found + _folder(config.state, shared=False)


def _folder(folder: Path, *, shared: bool) -> list[Finding]:
    about = "spool" if shared else "state"
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".recorderd-check-"):
            info = folder.stat()
        usage = shutil.disk_usage(folder)
    except OSError as error:
        why = f"{folder} cannot be written: {error.strerror}"
        return [Finding(about, Level.PROBLEM, why, Exit.CANT_CREATE)]
    found = []
    if usage.free < min(FREE_BYTES, usage.total * FREE_SHARE):
        left = f"{folder} has {usage.free >> 20} MiB left of {usage.total >> 20}"
        found.append(Finding(about, Level.WARNING, left))
    if shared and not (info.st_mode & stat.S_ISGID and info.st_mode & stat.S_IWGRP):
        mode = f"{folder} is {stat.S_IMODE(info.st_mode):04o}: make it setgid and group-writable (chmod 2770)"
        found.append(Finding(about, Level.WARNING, f"{mode}, so that Asterisk and recorderd share its files"))
    return found or [Finding(about, Level.OK, f"{folder} is writable, {usage.free >> 30} GiB free")]


def ffmpeg(_config: Config) -> list[Finding]:
    """That ffmpeg is there. Mixes are made without it; what encodes them needs it."""
    program = shutil.which("ffmpeg")
    if program is None:
        return [Finding("ffmpeg", Level.WARNING, "it is not installed: files stay WAV")]
    try:
        told = subprocess.run([program, "-version"], capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return [Finding("ffmpeg", Level.WARNING, f"{program} does not run: {error}")]
    first = told.stdout.decode("utf-8", "replace").split("\n")[0]
    return [Finding("ffmpeg", Level.OK, first[:60])]


def encryption(config: Config) -> list[Finding]:
    """That every key of the archive is there and nobody else's, and what encryption means to other readers."""
    from recorderd.archive.keyring import Keyring

    keys, active = config.archive.encryption.keys, config.archive.encryption.key_id
    ring = Keyring(keys, active)
    found = []
    for id in keys:
        try:
            ring(id)
            if ring.open_to_all(id):
                sentence = (
                    f"{ring.path(id)} can be read by every user of this machine: chmod o-r {ring.path(id)}"
                )
                found.append(Finding("encryption", Level.WARNING, sentence))
        except AudioError as error:
            level = Level.PROBLEM if id == active else Level.WARNING
            found.append(Finding("encryption", level, str(error), Exit.CONFIG))
    if active:
        sentence = (
            f"what is kept is encrypted with key “{active}”: tools that open the file of a CDR (FreePBX and "
            "others like it) cannot play it, the panel can"
        )
        found.append(Finding("encryption", Level.OK, sentence))
    return found


def bucket(config: Config) -> list[Finding]:
    """That the bucket takes an object, gives it back, overwrites nothing and deletes it."""
    if not config.archive.objects.url:
        return []
    from recorderd.daemon.buckets import SOMEBODY_WAITS, bucket_of

    key = f"{config.node}/.recorderd-check-{os.urandom(8).hex()}"
    try:
        found = bucket_of(config, SOMEBODY_WAITS)
        assert found is not None
        with tempfile.NamedTemporaryFile(prefix="recorderd-check-") as file:
            file.write(key.encode())
            file.flush()
            found.put(key, Path(file.name))
            again = found.put(key, Path(file.name))
            back, _, _ = found.read(key, 0, len(key))
            found.delete(key)
    except RecorderdError as error:
        return [Finding("bucket", Level.PROBLEM, str(error), exit_code(error))]
    if back != key.encode() or again:
        what = "overwrites what lies there" if again else "gives back something else than it was given"
        return [Finding("bucket", Level.PROBLEM, f"{found} {what}: it is not to be trusted with recordings")]
    return [Finding("bucket", Level.OK, f"{found} takes, gives back and deletes, and overwrites nothing")]


def node(config: Config) -> list[Finding]:
    """That this node's key signs the one chain, and that no rows are left that are nobody's."""
    if not config.node or _to_be_made(config):
        return []
    from recorderd.archive import signing

    async def look(store: Store) -> tuple[str, int]:
        heads = await store.chain.heads()
        nameless = await store.keeping.walk(IN_PLACE, limit=1)
        mine = [kept for kept in nameless if not kept.node]
        return heads[-1].public_key if heads else "", len(mine)

    try:
        key, nobodys = with_store(config, look)
        own = signing.load(config.signing_key, make=False).public if config.signing_key.exists() else ""
    except (StoreError, EvidenceError) as error:
        return [Finding("node", Level.PROBLEM, str(error), exit_code(error))]
    found = []
    if key and own and key != own:
        sentence = f"{config.signing_key} is another key than the chain is signed with: nodes share one (evidence.key)"
        found.append(Finding("node", Level.PROBLEM, sentence, Exit.CONFIG))
    if nobodys:
        sentence = f"there are recordings of before there were names: recorderd db give-node - {config.node}"
        found.append(Finding("node", Level.WARNING, sentence))
    return found or [Finding("node", Level.OK, f"this is {config.node}")]


def daemon(config: Config) -> list[Finding]:
    """Whether the daemon runs, and what it says of itself."""
    if not os.path.exists(config.control.socket):
        return [Finding("daemon", Level.WARNING, f"it is not running: no socket at {config.control.socket}")]
    try:
        status = ControlClient(config.control.socket).status()
    except ControlError as error:
        return [Finding("daemon", Level.WARNING, str(error))]
    if not status.get("healthy", True):
        return [Finding("daemon", Level.WARNING, "it runs, and is not well: see `recorderd status`")]
    return [Finding("daemon", Level.OK, f"it runs, version {status.get('version')}")]
