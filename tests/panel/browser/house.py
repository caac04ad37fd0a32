"""A panel with a past: the real app over a real SQLite store, filled with ten days of made-up calls.

Owns the made-up people, calls and sounds, and a daemon of a few lines behind the real control socket. The
same house is photographed by scripts/screenshots, so its clock begins at a noon in November.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
import time
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from recorderd.config import Config, load
from recorderd.control.server import ControlServer
from recorderd.core import rows
from recorderd.core.policy import Decision, ExtensionPolicy, Mode, Policy, Situation, decide
from recorderd.panel.app import make_app
from recorderd.panel.passwords import Passwords
from recorderd.store import open_store, stories
from recorderd.store.abc import AlarmRow, RuleRow, Store
from recorderd.store.panel import UserRow
from tests.live.daemon import until
from tests.panel.provider import CLIENT, SECRET, TestProvider, providing

NOON = datetime.fromisoformat("2026-11-23T12:00:00+03:00").timestamp()
PASSWORD = "correct horse 42"
NAMES = {
    "101": "Anna Petrova",
    "102": "Boris Ivanov",
    "103": "Works council",
    "104": "Clara de Vries",
    "107": "Dmitri Sokolov",
}
POLICY = (
    ExtensionPolicy(extension="101", inbound=Mode.ALWAYS, outbound=Mode.ALWAYS),
    ExtensionPolicy(extension="102", inbound=Mode.ON_DEMAND, outbound=Mode.ON_DEMAND),
    ExtensionPolicy(
        extension="103", inbound=Mode.NEVER, outbound=Mode.NEVER, locked=True, lock_reason="works council"
    ),
    ExtensionPolicy(extension="107", inbound=Mode.ALWAYS, outbound=Mode.ON_DEMAND),
)
RULES = (
    RuleRow(
        name="order line",
        body={
            "when": {"did": "5550101", "time": "Mon-Fri 08:00-18:00"},
            "mode": "always",
            "reason": "orders are contracts",
        },
    ),
)
PEOPLE = (
    ("107", "Dmitri Sokolov", "user", "107", ()),
    ("103", "Works council", "user", "103", ()),
    ("lead", "Clara de Vries", "supervisor", "104", ("101", "102", "107")),
    ("auditor", "Eva Maier", "auditor", "", ()),
    ("admin", "Anna Petrova", "administrator", "101", ()),
)
# Whom only the provider knows, by its `sub`.
STRANGERS = {
    "nina": {"preferred_username": "204", "name": "Nina Berg", "groups": ["staff"], "phone": "204"},
    "visitor": {"preferred_username": "visitor", "groups": []},
}
OUTSIDE = (
    ("74951234567", "Иван Кузнецов"),
    ("0612345678", ""),
    ("31205550142", "van Dijk & Zn."),
    ("4930901820", ""),
)


# --- made-up calls -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Past:
    """Ten days of calls of 107 and the others, newest last; `made` is what the store is given."""

    monitor: Path
    lanes: Path
    chance: random.Random = field(default_factory=lambda: random.Random(107))
    made: list[rows.Row] = field(default_factory=list)
    number: int = 0

    def fill(self) -> None:
        """Forty ordinary calls, one that was transferred, one whose audio is missing a part."""
        for i in range(40, 0, -1):
            at = NOON - i * 5400 - self.chance.randint(0, 2400)
            self._ordinary(at)
        self._partial(NOON - 6900)
        self._transferred(NOON - 1260)

    def _ordinary(self, at: float) -> None:
        own = self.chance.choice(("107", "107", "101", "102"))
        number, name = self.chance.choice(OUTSIDE)
        inside = self.chance.random() < 0.3
        other = self.chance.choice(("101", "102", "103", "104")) if inside else ""
        if other == own:
            other = "104"
        incoming = self.chance.random() < 0.6
        mine = self._party(own, incoming)
        peer = self._party(other, not incoming) if other else self._outside(number, name, not incoming)
        answered = self.chance.random() < 0.78
        self.call(at, [mine, peer], self.chance.randint(4, 420) if answered else 0)

    def _partial(self, at: float) -> None:
        people = [self._party("107", True), self._outside(*OUTSIDE[1], False)]
        self.call(at, people, 64, outcome=rows.Outcome.PARTIAL, missing_ms=2140)

    def _transferred(self, at: float) -> None:
        """An outside caller talks with 107, is transferred to the works council, and comes back."""
        caller = self._outside(*OUTSIDE[0], False)
        mine, third = self._party("107", True), self._party("103", True)
        self.number += 1
        id = f"{at:.0f}.{self.number}"
        talk = f"c{self.number}"
        people = ((31.2, [caller, mine]), (14.0, [caller, third]), (41.4, [caller, mine]))
        first = self._recording(talk, 1, at, 31.2)
        second = self._recording(talk, 2, at + 45.2, 41.4)
        start = at
        for n, (length, parties) in enumerate(people):
            recording = (first, None, second)[n]
            self._interval(f"{talk}-{n}", talk, start, length, parties, recording)
            start += length
        self.made += [
            rows.Conversation(id=talk, started_at=at, ended_at=start, linkedids=(id,)),
            *self._cdrs(id, at, [caller, mine], 86, first),
            rows.CdrLink(uniqueid=id, sequence=1, recording_id=second.id),
            self._mark(talk, at + 12.4, "paused", "107"),
            self._mark(talk, at + 19.0, "resumed", "107"),
        ]

    def call(
        self,
        at: float,
        people: list[rows.Party],
        seconds: int,
        outcome: rows.Outcome = rows.Outcome.RECORDED,
        missing_ms: int = 0,
    ) -> None:
        """One call between two; `seconds` of talk, 0 when nobody answered."""
        self.number += 1
        id = f"{at:.0f}.{self.number}"
        recording = None
        if seconds:
            talk = f"c{self.number}"
            decision = self._decision(people, at)
            pressed = decision.mode is Mode.ON_DEMAND and self.chance.random() < 0.5
            recording = self._recording(talk, 1, at, seconds) if decision.wanted or pressed else None
            self._interval(talk + "-0", talk, at, seconds, people, recording, outcome, missing_ms)
            self.made.append(
                rows.Conversation(id=talk, started_at=at, ended_at=at + seconds, linkedids=(id,))
            )
        self.made += self._cdrs(id, at, people, seconds, recording)

    # --- its rows ---

    def _decision(self, people: Sequence[rows.Party], at: float) -> Decision:
        policy = Policy(version=3, extensions={p.extension: p for p in POLICY})
        return decide(policy, Situation(at=at, parties=tuple(people)))

    def _interval(
        self,
        id: str,
        talk: str,
        at: float,
        seconds: float,
        people: list[rows.Party],
        recording: rows.Recording | None,
        outcome: rows.Outcome = rows.Outcome.RECORDED,
        missing_ms: int = 0,
    ) -> None:
        decision = self._decision(people, at)
        self.made.append(
            rows.Interval(
                id=id,
                conversation_id=talk,
                started_at=at,
                ended_at=at + seconds,
                parties=tuple(people),
                mode=str(decision.mode),
                wanted=recording is not None,
                masked=False,
                reason=decision.reason,
                trace=decision.trace,
                policy_version=3,
                recording_id=recording.id if recording else None,
                offset_ms=0 if recording else None,
                outcome=outcome if recording else rows.Outcome.NOT_BY_POLICY,
                missing_ms=missing_ms if recording else 0,
            )
        )

    def _recording(self, talk: str, segment: int, at: float, seconds: float) -> rows.Recording:
        when = datetime.fromtimestamp(at)
        recording = rows.Recording(
            id=f"{talk}r{segment}",
            conversation_id=talk,
            segment=segment,
            folder=when.strftime("%Y/%m/%d"),
            name=f"rec-{talk}-{segment}.wav",
            state=rows.RecordingState.CLOSED,
            started_at=at,
            ended_at=at + seconds,
            duration_ms=round(seconds * 1000),
            size=44 + 16 * round(seconds * 1000),
            stereo=str(self.lanes / f"{talk}-{segment}.stereo.wav"),
        )
        voices = speak(seconds, self.chance)
        write(self.monitor / recording.folder / recording.name, voices.sum(axis=1, dtype=np.int16))
        write(Path(recording.stereo), voices)
        self.made.append(recording)
        return recording

    def _cdrs(
        self, id: str, at: float, people: Sequence[rows.Party], seconds: int, recording: rows.Recording | None
    ) -> list[rows.Row]:
        caller = next(p for p in people if p.direction is rows.Direction.OUTBOUND)
        callee = next(p for p in people if p.direction is rows.Direction.INBOUND)
        cdr = rows.Cdr(
            uniqueid=id,
            sequence=1,
            linkedid=id,
            start=at - 6,
            answer=at if seconds else None,
            end=at + seconds,
            src=caller.number,
            dst=callee.extension or callee.number,
            dcontext="internal",
            clid=f'"{caller.name}" <{caller.number}>',
            channel=caller.channel,
            dstchannel=callee.channel,
            lastapp="Dial",
            disposition="ANSWERED" if seconds else "NO ANSWER",
            duration=seconds + 6,
            billsec=seconds,
            recordingfile=recording.name if recording else "",
        )
        link = [rows.CdrLink(uniqueid=id, sequence=1, recording_id=recording.id)] if recording else []
        return [cdr, *link]

    def _mark(self, talk: str, at: float, kind: str, who: str) -> rows.Mark:
        return rows.Mark(id=f"{talk}{at}", conversation_id=talk, at=at, kind=kind, who=who, text="")

    def _party(self, extension: str, called: bool) -> rows.Party:
        return rows.Party(
            uniqueid=f"{NOON:.0f}.{self.number + 1}{extension}",
            channel=f"PJSIP/{extension}-{self.number:08x}",
            extension=extension,
            number=f"5550{extension}" if not called else extension,
            name=NAMES[extension],
            direction=rows.Direction.INBOUND if called else rows.Direction.OUTBOUND,
        )

    def _outside(self, number: str, name: str, called: bool) -> rows.Party:
        return rows.Party(
            uniqueid=f"{NOON:.0f}.{self.number + 1}",
            channel=f"PJSIP/trunk-{self.number:08x}",
            extension="",
            number=number,
            name="" if called else name,
            direction=rows.Direction.INBOUND if called else rows.Direction.OUTBOUND,
        )


def speak(seconds: float, chance: random.Random) -> np.ndarray[Any, np.dtype[np.int16]]:
    """What looks like talk, a column for each of two: syllables of a tone, who speaks changes in the pauses."""
    samples = np.zeros((8 * round(seconds * 1000), 2), np.int16)
    at, speaker = 0, 0
    while at < len(samples):
        pitch, loud, length = (
            chance.uniform(0.08, 0.2),
            chance.uniform(3000, 15000),
            chance.randint(800, 2400),
        )
        if chance.random() < 0.12:
            at += 6000
            speaker = 1 - speaker
            continue
        time = np.arange(min(length, len(samples) - at))
        samples[at : at + length, speaker] = loud * np.sin(np.pi * time / length) * np.sin(time * pitch)
        at += length + chance.randint(80, 700)
    return samples


def write(path: Path, samples: np.ndarray[Any, np.dtype[np.int16]]) -> None:
    """A WAV of these, a column for each channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((samples.ndim, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


# --- a daemon of a few lines ---------------------------------------------------------------------------


@dataclass
class SmallDaemon:
    """Three calls go on: one is recorded, one can be, one is buffered; a press is believed."""

    presses: list[tuple[str, str, str]] = field(default_factory=list)
    recording: bool = False
    kept: bool = False
    well: bool = True
    clock: Any = time.time

    def status(self) -> Mapping[str, Any]:
        return {
            "version": "0.1",
            "since": NOON - 86400 * 3,
            "healthy": self.well,
            "asterisk": {"connected": True, "version": "22.10.1", "trouble": ""},
            "store": {"away": False, "journal": 0, "cdrs_waiting": 0},
            "policy": {"version": 3, "extensions": 4, "rules": 1},
            "calls": {"channels": 4, "conversations": 2, "recording": 1, "lanes": 2, "closing": 0},
            "outcomes": {"recorded": 812, "not-by-policy": 96, "partial": 1},
            "presses": {"started": 41, "denied": 2},
            "alarms": [],
        }

    def calls(self) -> Sequence[Mapping[str, Any]]:
        if not self._ringing:
            return []
        return [
            self._call("l1", 47, ("", "74951234567", "Иван Кузнецов"), "107", "always", True),
            self._call("l3", 31, ("", "0612345678", ""), "104", "on-demand", self.kept)
            | {"buffered": not self.kept},
            self._call("l2", 9, ("102", "102", NAMES["102"]), "107", "on-demand", self.recording),
        ]

    _ringing = True

    def _call(
        self, id: str, ago: int, other: tuple[str, str, str], mine: str, mode: str, recording: bool
    ) -> dict[str, Any]:
        people = (other, (mine, mine, NAMES[mine]))
        kind = "internal inbound" if other[0] else "inbound"
        return {
            "conversation": id,
            "since": self.clock() - ago,
            "talking": True,
            "parties": [
                {
                    "uniqueid": f"{id}.{extension}",
                    "channel": f"PJSIP/{extension or 'trunk'}-1",
                    "extension": extension,
                    "number": number,
                    "name": name,
                    "direction": "inbound" if extension == mine else "outbound",
                }
                for extension, number, name in people
            ],
            "mode": mode,
            "recording": recording,
            "paused": False,
            "buffered": False,
            "reason": f"{mine} chose {mode} for {kind} calls",
            "trace": [],
            "file": "",
        }

    async def press(self, action: str, target: str, by: str, **_why: str) -> Mapping[str, str]:
        self.presses.append((action, target, by))
        if target.startswith("l3"):
            self.kept = action == "start"
        else:
            self.recording = action == "start"
        return {"outcome": "started" if action == "start" else "stopped", "reason": "107 chose on-demand"}

    def policy_version(self) -> int:
        return 3


# --- the house -----------------------------------------------------------------------------------------


@dataclass
class House:
    """The running panel. Everybody in PEOPLE has the password PASSWORD."""

    address: str
    daemon: SmallDaemon
    config: Config
    provider: TestProvider


@contextlib.contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """Build it and run it, in a thread with a loop of its own, while the block lasts."""
    ready: threading.Event = threading.Event()
    box: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: asyncio.run(_live(folder, ready, box)), daemon=True)
    thread.start()
    assert ready.wait(60), "the panel did not start"
    if "error" in box:
        raise box["error"]
    try:
        yield box["house"]
    finally:
        box["loop"].call_soon_threadsafe(box["end"].set)
        thread.join(20)


async def _live(folder: Path, ready: threading.Event, box: dict[str, Any]) -> None:
    try:
        async with contextlib.AsyncExitStack() as life:
            box |= {"loop": asyncio.get_running_loop(), "end": asyncio.Event()}
            box["house"] = await _enter(folder, life)
            ready.set()
            await box["end"].wait()
    except BaseException as error:
        box.setdefault("error", error)
        ready.set()
        raise


async def _enter(folder: Path, life: contextlib.AsyncExitStack) -> House:
    started = time.time()

    def clock() -> float:
        return NOON + time.time() - started

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    provider = life.enter_context(providing(f"{address}/login/oidc/return"))
    provider.people, provider.clock = {s: dict(c) for s, c in STRANGERS.items()}, clock
    config = _configuration(folder, provider)
    store = open_store(config.store.url)
    life.push_async_callback(store.close)
    await store.migrate()
    await _fill(store, config)
    daemon = SmallDaemon(clock=clock)
    control = ControlServer(daemon, config.control.socket)  # type: ignore[arg-type]
    await control.start()
    life.push_async_callback(control.close)
    app = make_app(config, store, clock)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())

    async def end() -> None:
        server.should_exit = True
        await serving

    life.push_async_callback(end)
    await until(lambda: server.started, "the panel answers")
    return House(address, daemon, config, provider)


def _configuration(folder: Path, provider: TestProvider) -> Config:
    folder.mkdir(parents=True, exist_ok=True)
    monitor = folder / "monitor"
    monitor.mkdir(exist_ok=True)
    path = folder / "recorderd.yaml"
    path.write_text(
        f"""asterisk: {{username: recorderd, secret: "not used here", timezone: Europe/Moscow}}
control: {{socket: "{folder}/control.sock"}}
store: {{url: "sqlite:///{folder}/recorderd.db"}}
state: "{folder}/state"
spool: {{monitor: "{monitor}", lanes: "{folder}/lanes"}}
panel:
  oidc:
    issuer: "{provider.issuer}"
    client_id: "{CLIENT}"
    secret: "{SECRET}"
    redirect_uri: "{provider.client.redirect_uri}"
    label: Example Office
    extension_claim: phone
    role_claim: groups
    roles: {{staff: user}}
"""
    )
    path.chmod(0o600)
    return load(path)


async def _fill(store: Store, config: Config) -> None:
    await store.import_policy(POLICY, RULES, "admin", NAMES)
    past = Past(config.spool.monitor, config.spool.lanes)
    past.fill()
    await store.save(past.made)
    await store.save(
        [
            AlarmRow(
                id="a1",
                at=NOON - 7000,
                kind="recorder-failed",
                sentence="The recorder on PJSIP/107-00000012 failed: its file does not grow",
                cleared_at=NOON - 6990,
            )
        ]
    )
    low = NOON - timedelta(days=12).total_seconds()
    found = await stories.of_period(store, low, NOON + 1)
    await store.panel.replace_entries([stories.replaced(s, config.names()) for s in found], NOON)
    hashed = await Passwords().hash(PASSWORD)
    await store.save(
        [
            UserRow(
                login=login,
                name=name,
                role=role,
                extension=extension,
                scope=scope,
                password=hashed,
                created_at=NOON - 86400 * 9,
            )
            for login, name, role, extension, scope in PEOPLE
        ]
    )
