"""recorderd itself beside a rig's Asterisk: a process of its own, as an administrator runs it.

Owns its folder, configuration and life. Truth never comes from here: tests listen to files and telephones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from recorderd.control.client import ControlClient
from recorderd.core import rows
from recorderd.core.coverage import Coverage, reconcile
from recorderd.core.policy import ExtensionPolicy, Mode
from recorderd.errors import ControlError
from recorderd.store import open_store
from recorderd.store.abc import RuleRow, Store
from tests.live.asterisk import Asterisk, RigError

WAIT = 15.0
REPOSITORY = Path(__file__).resolve().parents[2]
_SOUNDS = REPOSITORY / "recorderd" / "agi" / "sounds"
_STILL = 0.15


async def until(condition: Callable[[], Awaitable[Any] | Any], what: str, seconds: float = WAIT) -> Any:
    """The first true value of `condition`, asked every 30 ms; RigError naming `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise RigError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.03)


def children(pid: int, named: str = "") -> list[int]:
    """The processes it has started that still live and have these words in their command."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if named in Path(f"/proc/{child}/cmdline").read_text()]


class Recorderd:
    """One daemon beside one Asterisk; `overrides` are sections of its configuration file.

    `user`: run as this user, in the groups it has. `exit_code` is None while it runs.
    """

    def __init__(self, asterisk: Asterisk, folder: Path, /, **overrides: Any) -> None:
        self.asterisk = asterisk
        self.folder = folder
        self.socket = folder / "control.sock"
        self.monitor = asterisk.spool
        self.lanes = asterisk.folder / "spool" / "recorderd"
        self.fallback = asterisk.folder / "spool" / "fallback"
        self.url = overrides.pop("store_url", f"sqlite:///{folder}/recorderd.db")
        self.config = folder / "recorderd.yaml"
        self.log = folder / "log"
        self.overrides = overrides
        self.user = ""
        self._earlier = len(asterisk.cdrs())  # those it cannot know of
        self.environ: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    # --- life ----------------------------------------------------------------------------------

    def configure(self, **overrides: Any) -> None:
        """Write the configuration file: the rig's ports and folders, and what the test wants otherwise."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for place in (self.monitor, self.lanes, self.fallback):
            place.mkdir(parents=True, exist_ok=True)
        self.overrides |= overrides
        sections: dict[str, Any] = {
            "asterisk": {
                "host": "127.0.0.1",
                "port": self.asterisk.ami_port,
                "username": "recorderd",
                "secret": self.asterisk.secret,
            },
            "agi": {"host": "127.0.0.1", "port": self.asterisk.agi_port},
            "control": {"socket": str(self.socket)},
            "store": {"url": self.url},
            "state": str(self.folder / "state"),
            "spool": {
                "monitor": str(self.monitor),
                "lanes": str(self.lanes),
                "fallback": [str(self.fallback)],
            },
        }
        for name, value in self.overrides.items():
            old = sections.get(name)
            sections[name] = old | value if isinstance(old, dict) and isinstance(value, dict) else value
        self.config.write_text(yaml.safe_dump(sections))
        self.config.chmod(0o600)
        # What the installation manual asks for: our tones and prompts below Asterisk's sounds.
        tones = self.asterisk.sounds / "recorderd"
        tones.mkdir(exist_ok=True)
        for sound in (*_SOUNDS.glob("*.wav"), *_SOUNDS.glob("en/*.ulaw")):
            shutil.copy(sound, tones)

    async def start(self) -> Self:
        """Run it, and return once it is connected to Asterisk."""
        await self.launch()
        await until(self.connected, f"recorderd connected; see {self.log}")
        return self

    async def launch(self) -> None:
        """Run it, and return once its control socket answers: Asterisk may be away or refuse."""
        self._spawn()
        await until(self.status, f"recorderd answers; see {self.log}")

    def _spawn(self) -> None:
        if not self.config.exists():
            self.configure()
        command = [sys.executable, "-m", "recorderd", "--config", str(self.config), "run"]
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), **self.environ}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed, it is compiled
        if self.user:
            account = pwd.getpwnam(self.user)
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
            command[0], environ["PYTHONPATH"] = _python_for(self.user)
            command = [*_as_user(self.user), *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, cwd=self.folder
            )

    async def status(self) -> Mapping[str, Any]:
        """What its control socket says, empty while nobody answers there; RigError when it has ended."""
        if self._process is None or self._process.poll() is not None:
            raise RigError(f"recorderd ended: {self.said()[-3000:]}")
        try:
            return await asyncio.to_thread(self.control.status)
        except ControlError:
            return {}

    async def connected(self) -> bool:
        """It runs and hears Asterisk."""
        status = await self.status()
        return bool(status and status["asterisk"]["connected"])

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def says(self, words: str, since: int = 0, seconds: float = WAIT) -> str:
        """The line of its log, after the first `since` bytes, that holds these words."""

        def line() -> str:
            return next((text for text in self.said()[since:].splitlines() if words in text), "")

        return str(await until(line, f"“{words}” in {self.log}", seconds))

    async def stop(self) -> int:
        """SIGTERM, as the service manager does it; the exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return await asyncio.to_thread(process.wait, 15)
        process.kill()
        raise RigError("recorderd did not end within 15 s")

    async def revive(self) -> None:
        """Start it unless it runs."""
        if self._process is None:
            await self.start()

    def kill(self) -> None:
        """kill -9."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def to_clerk(self, number: signal.Signals) -> None:
        """Send this signal to the process that stores its rows, if there is one now."""
        assert self._process is not None
        for pid in children(self._process.pid, "recorderd.clerk"):
            os.kill(pid, number)

    def pause(self) -> None:
        """SIGSTOP: it does nothing until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def hang_up(self) -> None:
        """SIGHUP: read the configuration again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(RigError):
            await self.stop()

    # --- talking to it -------------------------------------------------------------------------

    @property
    def control(self) -> ControlClient:
        """Its control socket."""
        return ControlClient(self.socket)

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """Its database, opened beside it."""
        store = open_store(self.url)
        try:
            await store.migrate()
            yield store
        finally:
            await store.close()

    async def allow(
        self, policy: Mapping[str, str | tuple[str, str] | ExtensionPolicy], *rules: RuleRow
    ) -> None:
        """Put this policy into the store in the place of all, and wait until it is in force (if it runs).

        It maps extensions to one mode for both directions, or (inbound, outbound).
        """
        extensions = [extension_policy(name, value) for name, value in policy.items()]
        async with self.store() as store:
            version = await store.import_policy(extensions, list(rules), "rig")
        if self._process is not None:
            await until(lambda: self._policy_is(version), f"policy {version} in force")

    async def _policy_is(self, version: int) -> bool:
        status = await self.status()
        return bool(status and status["policy"]["version"] == version)

    async def idle(self, seconds: float = 20) -> None:
        """Every call is over, every file is made, every row is stored."""
        await self._until_nothing(self._unfinished, seconds)

    async def quiet(self, seconds: float = 20) -> None:
        """Idle, and every CDR of Asterisk's own table has come to us and is linked."""
        await self._until_nothing(self._unquiet, seconds)

    async def _until_nothing(self, left: Callable[[], Awaitable[str]], seconds: float) -> None:
        """Return when `left` has been empty for a moment: a CDR is written up to 60 ms after the hang-up."""
        deadline = time.monotonic() + seconds
        empty_since: float | None = None
        while empty_since is None or time.monotonic() - empty_since < _STILL:
            what = await left()
            if what and time.monotonic() > deadline:
                raise RigError(f"recorderd is not at rest after {seconds} s: {what}; see {self.log}")
            empty_since = None if what else empty_since or time.monotonic()
            await asyncio.sleep(0.03)

    async def _unfinished(self) -> str:
        s = await self.status()
        if not s:
            return "it does not answer"
        busy = {what: s["calls"][what] for what in ("channels", "lanes", "closing") if s["calls"][what]}
        return f"{busy or ''}{s['store']['journal'] or ''}"

    async def _unquiet(self) -> str:
        if what := await self._unfinished():
            return what
        if alive := await asyncio.to_thread(self.asterisk.channels):
            return f"alive in Asterisk: {alive}"
        written, known = len(await asyncio.to_thread(self.asterisk.cdrs)), len(await self.cdrs())
        if known + self._earlier < written:
            return f"{written} CDRs were written, {self._earlier} before us, {known} are known"
        waiting = (await self.status())["store"]["cdrs_waiting"]
        return f"{waiting} CDRs wait for their links" if waiting else ""

    async def ledger(self, read: Callable[[Store], Awaitable[Any]]) -> Any:
        """What a query on its store says."""
        async with self.store() as store:
            return await read(store)

    async def recordings(self) -> list[rows.Recording]:
        """Every recording, oldest first."""
        return list(await self.ledger(lambda s: s.recordings()))

    async def intervals(self) -> list[rows.Interval]:
        """Every interval, oldest first."""
        return list(await self.ledger(lambda s: s.intervals()))

    async def cdrs(self) -> list[rows.Cdr]:
        """Every CDR it knows, oldest first."""
        return list(await self.ledger(lambda s: s.cdrs()))

    async def links(self) -> list[rows.CdrLink]:
        """Every link from a CDR to a recording."""
        return list(await self.ledger(lambda s: s.links()))

    def path(self, recording: rows.Recording) -> Path:
        """Where its file is."""
        return self.monitor / recording.folder / recording.name

    async def coverage(self) -> Coverage:
        """The proof over everything, the spool included."""
        async with self.store() as store:
            files = [str(f.relative_to(self.monitor)) for f in self.monitor.rglob("*") if f.is_file()]
            return reconcile(await store.intervals(), await store.cdrs(), await store.recordings(), files)


def _as_user(user: str) -> list[str]:
    """What before a command makes it run as that user, in all groups that user is in."""
    account = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]


def _python_for(user: str) -> tuple[str, str]:
    """A Python of our version that this user may run, and the path on which it finds what ours has.

    Ours may lie in a home that nobody else can enter.
    """
    path = os.pathsep.join([str(REPOSITORY), *(entry for entry in sys.path if "site-packages" in entry)])
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        # Through a shell, which looks for it as that user.
        tried = [*_as_user(user), "sh", "-c", '"$0" -c "import recorderd.daemon"', python]
        environ = {**os.environ, "PYTHONPATH": path}
        if subprocess.run(tried, env=environ, cwd="/", capture_output=True, check=False).returncode == 0:
            return python, path
    raise RigError(f"{user} can run no {name} that finds recorderd in {REPOSITORY}")


def extension_policy(name: str, value: str | tuple[str, str] | ExtensionPolicy) -> ExtensionPolicy:
    """A policy from one mode for both ways, or (inbound, outbound)."""
    if isinstance(value, ExtensionPolicy):
        return value
    inbound, outbound = (value, value) if isinstance(value, str) else value
    return ExtensionPolicy(extension=name, inbound=Mode(inbound), outbound=Mode(outbound))
