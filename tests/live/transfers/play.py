"""A house for many scenarios, and several of them played at once.

Owns the dialplan that the scenarios ask for, and when each is played. A scenario that fails does not end the
others: what went wrong is kept with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live import signals
from tests.live.asterisk import free_port
from tests.live.daemon import until
from tests.live.rig_ami import RigAmi
from tests.live.scene import Scene, scene
from tests.live.transfers.evidence import Evidence, belongs
from tests.live.transfers.scenario import FIRST_EXTENSION, Cast, Scenario, cast
from tests.live.transfers.stage import Stage
from tests.live.transfers.verdict import Verdict, judge

AT_ONCE = 6
_PATIENCE = 60.0
_CONF = Path(__file__).resolve().parents[1] / "conf"

_DIALPLAN = """
[rig-extra](+)
include => parkedcalls-short
exten => _3XX,1,Dial(PJSIP/${EXTEN},30)
 same => n,Hangup()
exten => _43XX,1,Dial(PJSIP/${EXTEN:1},30,TtKkHhXx)
 same => n,Hangup()

[from-lines]
exten => _555X.,1,Goto(from-phones,${EXTEN:3},1)
"""
_LINE = """
[{line}]
type = endpoint
context = from-lines
disallow = all
allow = ulaw
direct_media = no
aors = {line}
trust_id_inbound = yes
trust_id_outbound = yes
language = en

[{line}](one)

[{line}]
type = identify
endpoint = {line}
match_header = X-Rig-Endpoint: {line}
"""
# A second place to park, where nobody is left for long.
_SHORT_LOT = """
[short]
parkext => 750
parkpos => 751-790
context => parkedcalls-short
parkingtime => 2
comebacktoorigin => yes
comebackdialtime => 15
parkext_exclusive => yes
"""
_FEATURES = {
    "atxfernoanswertimeout": "4",
    "atxferloopdelay": "1",
    "atxfercallbackretries": "2",
    "atxferdropcall": "no",
    "transferdialattempts": "1",
}


@dataclass
class Played:
    """All scenarios of a house, played. `errors`: those that did not come to their end, and why."""

    house: Scene
    stages: dict[str, Stage]
    evidence: Evidence
    errors: dict[str, str] = field(default_factory=dict)
    proof: str = ""
    _verdicts: dict[str, Verdict] = field(default_factory=dict)

    def verdict(self, name: str) -> Verdict:
        """What came of one scenario, by its name; judged once."""
        if name not in self._verdicts:
            self._verdicts[name] = judge(self.stages[name], self.evidence)
            if name in self.errors:
                self._verdicts[name].faults.insert(0, self.errors[name])
        return self._verdicts[name]

    def replace(self, verdict: Verdict) -> None:
        """Another play of the same scenario counts."""
        self._verdicts[verdict.cast.scenario.name] = verdict

    def strays(self) -> list[Path]:
        """Files that are of no scenario, or of two."""
        casts = [stage.cast for stage in self.stages.values()]
        return [f for f in self.evidence.files if sum(belongs(f, c) for c in casts) != 1]


@contextlib.contextmanager
def house(version: int, folder: Path, casts: Sequence[Cast], **options: Any) -> Iterator[Scene]:
    """An Asterisk and a recorderd with everything that these scenarios need."""
    port = free_port()
    files = {
        "pjsip_extra.conf": "".join(_LINE.format(line=c.endpoints[x]) for c in casts for x in c.outside),
        "queues.conf": _conf("queues.conf") + "".join(c.fill(c.scenario.queues) for c in casts),
        "res_parking.conf": _conf("res_parking.conf") + _SHORT_LOT,
        "features.conf": _features(port),
    }
    policy = {number: mode for c in casts for number, mode in c.modes.items()}
    last = max((int(e) for c in casts for e in c.endpoints.values() if e.isdigit()), default=FIRST_EXTENSION)
    with scene(
        version,
        folder,
        policy,
        dialplan=_DIALPLAN + "\n[rig-extra](+)\n" + "\n".join(map(_dialplan_of, casts)),
        files=files,
        endpoints=last - FIRST_EXTENSION + 1,
        agi_port=port,
        **options,
    ) as running:
        yield running


@contextlib.contextmanager
def hurry() -> Iterator[None]:
    """What is begun inside goes before whatever else this machine does, and we before that, as on a real PBX."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def _threads(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def _real_time(
    threads: Iterable[int], priority: int, how: int = os.SCHED_RR | os.SCHED_RESET_ON_FORK
) -> None:
    """Debian starts Asterisk so (`-p`). A shared machine's other work is not what is measured here."""
    with contextlib.suppress(PermissionError, ProcessLookupError):
        for thread in threads:
            os.sched_setscheduler(thread, how, os.sched_param(priority))


def _conf(name: str) -> str:
    return (_CONF / name).read_text()


def _features(port: int) -> str:
    text = _conf("features.conf").replace("@agi_port@", str(port))
    for key, value in _FEATURES.items():
        text = re.sub(rf"^{key} *=.*\n", "", text, flags=re.M)
        text = text.replace("[general]\n", f"[general]\n{key} = {value}\n", 1)
    return text


def _dialplan_of(one: Cast) -> str:
    """The numbers outside, and what the scenario asks for."""
    outside = [
        f"exten => {one.numbers[x]},1,Dial(PJSIP/{one.numbers[x]}@{one.endpoints[x]},30)\n same => n,Hangup()\n"
        f"exten => 4{one.numbers[x]},1,Dial(PJSIP/{one.numbers[x]}@{one.endpoints[x]},30,TtKkHhXx)\n same => n,Hangup()"
        for x in one.outside
    ]
    return "\n".join([*outside, one.fill(one.scenario.dialplan)])


async def play(
    running: Scene, casts: Sequence[Cast], *, at_once: int = AT_ONCE, say: Callable[[str], object] = print
) -> Played:
    """Play them all, wait until everything is quiet, and gather what they left behind."""
    errors: dict[str, str] = {}
    turns = asyncio.Semaphore(at_once)
    async with (
        running.phones() as phones,
        RigAmi(running.asterisk.ami_port, running.asterisk.secret) as ami,
    ):
        _real_time([0], 1)
        _real_time(_threads(running.asterisk.pid), 10, os.SCHED_RR)
        _real_time(_threads(running.daemon.pid), 5)
        _real_time([t.native_id for t in threading.enumerate() if t.name == "rtp" and t.native_id], 20)
        signals.hear(signals.Signal(0).frames(0, 50))  # what it reckons once, holds up the telephones' clock
        stages = {c.scenario.name: Stage(c, running, phones, ami) for c in casts}

        async def turn(stage: Stage) -> None:
            async with turns:
                await _play_one(stage, errors)

        async with asyncio.TaskGroup() as together:
            for stage in stages.values():
                if not stage.cast.scenario.alone:
                    together.create_task(turn(stage))
        for stage in stages.values():
            if stage.cast.scenario.alone:
                await _play_one(stage, errors)
        say(f"worst delay of a packet: {phones.ticker.worst_delay * 1000:.0f} ms")
    proof = ""
    try:
        await running.daemon.quiet(40)
        # A lane's file goes a moment after its recording is there.
        await until(lambda: not running.lane_files(), "no lane is left")
        await running.proof()
    except AssertionError as error:
        proof = repr(error)
    except Exception as error:
        proof = repr(error)
    return Played(running, stages, await gather(running), errors, proof)


async def _play_one(stage: Stage, errors: dict[str, str]) -> None:
    name = stage.cast.scenario.name
    step: object = "the telephones register"
    try:
        async with asyncio.timeout(_PATIENCE):
            await stage.open()
            for number, step in enumerate(stage.cast.scenario.steps, 1):
                step = f"step {number}, {step}"
                await stage.cast.scenario.steps[number - 1].play(stage)
    except Exception as error:
        errors[name] = f"{step}: {type(error).__name__}: {error}"
    finally:
        await stage.close()


async def gather(running: Scene) -> Evidence:
    """Everything that is there now."""
    daemon = running.daemon
    async with daemon.store() as store:
        return Evidence(
            files=running.files(),
            cdrs=running.asterisk.cdrs(),
            recordings=await store.recordings(),
            links=await store.links(),
            conversations=await store.conversations(),
            intervals=await store.intervals(),
            monitor=daemon.monitor,
        )


def run(version: int, folder: Path, scenarios: Sequence[Scenario], *, at_once: int = AT_ONCE) -> Played:
    """Boot a house, play, and take it down again: what is left behind in `folder` can be judged at leisure."""
    casts = cast(list(scenarios))
    with hurry(), house(version, folder, casts) as running:
        return asyncio.run(play(running, casts, at_once=at_once))
