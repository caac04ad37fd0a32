"""What of Asterisk recorderd stands on: the manager login, its rights, the modules, the configuration files.

Owns how each is tried. Only asks: nothing in Asterisk changes. What the manager interface does not tell (the
rights to read, features.conf) is looked up in Asterisk's own files where we may read them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from recorderd.ami import actions, wire
from recorderd.ami.client import AmiClient
from recorderd.ami.settings import AmiSettings
from recorderd.cli import asterisk_conf
from recorderd.cli.command import Exit, exit_code
from recorderd.cli.findings import Finding, Level
from recorderd.config import Config
from recorderd.errors import ActionRefused, AmiError, ConfigError

T = TypeVar("T")
PATIENCE = 8.0
SUPPORTED = range(16, 23)
READ = ("system", "call", "cdr", "user")
WRITE = ("system", "call")
# A manager user with these can do what recorderd never does.
TOO_MUCH = ("Originate", "Command", "UpdateConfig")
MODULES: Mapping[str, tuple[Level, str]] = {
    "app_mixmonitor": (Level.PROBLEM, "nothing can be recorded"),
    "res_agi": (Level.WARNING, "neither the dialplan include nor the feature code can ask recorderd"),
    "cdr_manager": (Level.WARNING, "Asterisk sends no Cdr events: give it cdr_manager.conf"),
}


def manager(config: Config) -> list[Finding]:
    """Log in as the daemon does, and ask what this user may do and what is loaded."""
    try:
        return asyncio.run(_ask(config, _look))
    except (AmiError, ConfigError) as error:
        return [Finding("asterisk", Level.PROBLEM, str(error), exit_code(error))]


def db_tree(config: Config, family: str) -> dict[str, str]:
    """Everything below a family of AstDB, by its key without the family. Raises AmiError."""

    async def look(client: AmiClient, _booted: bool) -> dict[str, str]:
        reply = await client.send_action(actions.db_get_tree(family), each=wire.parse)
        return {item.get("Key", "").removeprefix(f"/{family}/"): item.get("Val", "") for item in reply.items}

    return asyncio.run(_ask(config, look))


async def _ask(config: Config, look: Callable[[AmiClient, bool], Awaitable[T]]) -> T:
    """What `look` finds in a session of its own; it is told whether Asterisk said that it has booted."""
    up = asyncio.Event()
    booted: list[bytes] = []
    trouble: asyncio.Future[AmiError] = asyncio.get_running_loop().create_future()

    def tell(error: AmiError) -> None:
        if not trouble.done():
            trouble.set_result(error)

    client = AmiClient(
        AmiSettings(
            host=config.asterisk.host,
            port=config.asterisk.port,
            username=config.asterisk.username,
            secret=config.asterisk.secret,
            boot_timeout=1.0,
        ),
        (),
        on_event=booted.append,
        on_up=up.set,
        on_trouble=tell,
    )
    running = asyncio.create_task(client.run())
    waiting = asyncio.create_task(up.wait())
    try:
        await asyncio.wait((waiting, trouble), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not up.is_set():
            where = f"{config.asterisk.host}:{config.asterisk.port}"
            raise trouble.result() if trouble.done() else AmiError(f"Asterisk at {where} did not answer")
        return await look(client, bool(booted))
    finally:
        waiting.cancel()
        await client.close()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _look(client: AmiClient, booted: bool) -> list[Finding]:
    found = [Finding("asterisk", Level.OK, f"logged in; manager interface {client.version}")]
    allowed = (await client.send_action({"Action": "ListCommands"})).headers
    missing = sorted(actions.NEEDED - allowed.keys())
    if missing:
        sentence = f"this manager user may not {', '.join(missing)}: it needs write = {','.join(WRITE)}"
        found.append(Finding("asterisk", Level.PROBLEM, sentence, Exit.NO_PERMISSION))
    if not booted:
        sentence = "no FullyBooted came: it needs read = system, or Asterisk is still starting"
        found.append(Finding("asterisk", Level.PROBLEM, sentence, Exit.NO_PERMISSION))
    more = [name for name in TOO_MUCH if name in allowed]
    if more:
        sentence = f"this manager user may also {', '.join(more)}: recorderd never does, take it away"
        found.append(Finding("asterisk", Level.WARNING, sentence))
    return [*found, *await _version(client), *await _modules(client)]


async def _version(client: AmiClient) -> list[Finding]:
    try:
        settings = (await client.send_action({"Action": "CoreSettings"})).headers
    except ActionRefused:
        return []  # its class is `system`, which is told above
    version = settings.get("AsteriskVersion", "")
    major = version.removeprefix("certified/").partition(".")[0]
    if major.isdigit() and int(major) not in SUPPORTED:
        tested = f"recorderd is tested with {SUPPORTED[0]} to {SUPPORTED[-1]}"
        return [Finding("asterisk", Level.WARNING, f"Asterisk {version}: {tested}")]
    return [Finding("asterisk", Level.OK, f"Asterisk {version}")]


async def _modules(client: AmiClient) -> list[Finding]:
    found = []
    for module, (level, otherwise) in MODULES.items():
        try:
            await client.send_action({"Action": "ModuleCheck", "Module": module})
        except ActionRefused as error:
            if "permission" in str(error).lower():
                return []  # told above
            found.append(Finding("asterisk", level, f"{module} is not loaded: {otherwise}", Exit.UNAVAILABLE))
    return found


# --- Asterisk's files ------------------------------------------------------------------------------


def files(config: Config, etc: Path) -> list[Finding]:
    """What manager.conf, features.conf and cdr_manager.conf say, where we may read them; and asterisk.conf, where
    this is one node of several.
    """
    found: list[Finding] = []
    looks = [
        ("manager.conf", _manager_conf),
        ("features.conf", _features_conf),
        ("cdr_manager.conf", _cdr_manager_conf),
    ]
    for name, look in [*looks, ("asterisk.conf", _asterisk_conf)] if config.node else looks:
        try:
            sections = asterisk_conf.read(etc / name)
        except OSError as error:
            sentence = f"{etc / name} was not looked at: {error.strerror}"
            found.append(Finding("asterisk's files", Level.WARNING, sentence))
        else:
            found += look(config, sections)
    return found or [
        Finding("asterisk's files", Level.OK, f"{etc}: rights, feature and CDR mappings are there")
    ]


def _asterisk_conf(_config: Config, sections: asterisk_conf.Sections) -> list[Finding]:
    if sections.get("options", {}).get("systemname"):
        return []
    sentence = (
        "asterisk.conf: [options] has no systemname: calls of two nodes that begin in one second have one id"
    )
    return [Finding("asterisk's files", Level.PROBLEM, sentence, Exit.CONFIG)]


def _warn(sentence: str) -> Finding:
    return Finding("asterisk's files", Level.WARNING, sentence)


def _manager_conf(config: Config, sections: asterisk_conf.Sections) -> list[Finding]:
    found = []
    if sections.get("general", {}).get("timestampevents", "no").lower() not in asterisk_conf.TRUE:
        found.append(_warn("manager.conf: set timestampevents = yes, so that times are Asterisk's own"))
    user = sections.get(config.asterisk.username)
    if user is None:
        return [*found, _warn(f"manager.conf has no user [{config.asterisk.username}]")]
    for key, needed in (("read", READ), ("write", WRITE)):
        given = {word.strip() for word in user.get(key, "").lower().split(",")}
        lacking = [word for word in needed if word not in given and "all" not in given]
        if lacking:
            sentence = f"manager.conf: [{config.asterisk.username}] lacks {key} = {','.join(lacking)}"
            found.append(Finding("asterisk's files", Level.PROBLEM, sentence, Exit.NO_PERMISSION))
    return found


def _features_conf(config: Config, sections: asterisk_conf.Sections) -> list[Finding]:
    entry = sections.get("applicationmap", {}).get(config.feature.name)
    if entry is None:
        sentence = (
            f"features.conf: [applicationmap] has no {config.feature.name}: the feature code does nothing"
        )
        return [_warn(sentence)]
    port = f":{config.agi.port}"
    if "agi://" in entry and port not in entry and config.agi.port != 4573:
        return [
            _warn(f"features.conf: {config.feature.name} asks another port than agi.port, {config.agi.port}")
        ]
    return []


def _cdr_manager_conf(_config: Config, sections: asterisk_conf.Sections) -> list[Finding]:
    found = []
    if sections.get("general", {}).get("enabled", "no").lower() not in asterisk_conf.TRUE:
        found.append(_warn("cdr_manager.conf: set enabled = yes, or Asterisk sends no Cdr events"))
    mapped = sections.get("mappings", {})
    lacking = [name for name in ("recordingfile", "linkedid", "sequence") if name not in mapped]
    if lacking:
        lines = ", ".join(f"{name} => {name}" for name in lacking)
        found.append(_warn(f"cdr_manager.conf: [mappings] lacks {lines}"))
    return found
