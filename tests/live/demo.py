"""The demonstration: a real Asterisk, recorderd on its embedded defaults, telephones that really talk.

Owns the calls that are shown and how their result is told. Every check rests on the audio (what each
telephone said, and what is in the file) or on Asterisk's own CDR table, never on recorderd's word alone.

    python -m tests.live.demo [--once] [--json] [--asterisk 22|16]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from recorderd.core import rows
from tests.live.asterisk import Asterisk, free_port
from tests.live.daemon import Recorderd, until
from tests.live.panel import PanelProcess
from tests.live.phone import Call, Phone, Phones
from tests.live.signals import audible_ms, hear, load, missing_ms

DIALPLAN = Path(__file__).resolve().parents[2] / "dialplan" / "recorderd.conf"
POLICY = {
    "101": "always",
    "102": "always",
    "103": "never",
    "104": "on-demand",
    "105": "on-demand",
}
# What is lost of an answered call's first words when a recorder starts only at BridgeEnter: a frame or two.
# A demonstration runs on whatever machine there is: what it must show is that words are not lost.
_MISSING_MS = 200.0


@dataclass(slots=True)
class Shown:
    """One call as the demonstration tells it. `checks` maps what was checked to whether it held."""

    call: str
    decided: str = ""
    why: str = ""
    recorded_ms: int = 0
    missing_ms: int = 0
    file: str = ""
    linked: bool = False
    checks: dict[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """What every call needs: the telephones, the PBX, the recorder."""

    asterisk: Asterisk
    recorderd: Recorderd
    phones: Phones
    since: float = 0.0

    async def talk(self, seconds: float = 2.0) -> None:
        """People talk."""
        await asyncio.sleep(seconds)

    async def last(self, outcome: Callable[[list[rows.Interval]], object]) -> list[rows.Interval]:
        """The intervals since the call began, once `outcome` is content with them."""

        async def found() -> list[rows.Interval]:
            intervals = [i for i in await self.recorderd.intervals() if i.started_at >= self.since]
            return intervals if intervals and outcome(intervals) else []

        return list(await until(found, "the call in the ledger"))

    async def judged(self) -> list[rows.Interval]:
        """The call's intervals with all their outcomes."""
        return await self.last(lambda found: all(i.outcome is not None for i in found))

    def file_of(self, intervals: list[rows.Interval]) -> Path | None:
        """The file that Asterisk's CDR names for this call, found as a reader of FreePBX finds it."""
        uniqueids = {p.uniqueid for i in intervals for p in i.parties}
        for row in self.asterisk.cdrs():
            name = row["recordingfile"]
            if row["uniqueid"] in uniqueids and name:
                day = name.split("-")[3]
                return self.asterisk.spool / day[:4] / day[4:6] / day[6:] / name
        return None


Scene = Callable[[Stage], Awaitable[Shown]]


async def _scene(
    stage: Stage,
    caller: Phone,
    callee: Phone,
    title: str,
    *,
    number: str = "",
    during: Callable[[Call, Call], Awaitable[None]] | None = None,
    speak: Callable[[list[rows.Interval]], bool],
) -> Shown:
    """Place a call, let people talk, hang up; `speak` says whether the ledger tells it as it should."""
    stage.since = time.time()
    call = await caller.call(number or callee.number)
    other = await callee.ringing()
    await stage.talk(0.2)
    await other.answer()
    await call.up()
    if during:
        await during(call, other)
    else:
        await stage.talk()
    await call.hangup()
    await other.ended()
    intervals = await stage.judged()
    return _tell(stage, title, intervals, [call, other], speak)


def _tell(
    stage: Stage,
    title: str,
    intervals: list[rows.Interval],
    calls: list[Call],
    speak: Callable[[list[rows.Interval]], bool],
) -> Shown:
    told = intervals[-1]
    shown = Shown(title, decided=told.mode, why=told.reason)
    shown.checks["the ledger says so"] = speak(intervals)
    wanted = [i for i in intervals if i.wanted and i.ended_at is not None]
    file = stage.file_of(intervals)
    shown.linked = file is not None
    shown.checks["linked exactly if recorded"] = shown.linked is bool(wanted)
    if not wanted or file is None or not file.exists():
        shown.checks["a file exactly if recorded"] = not wanted
        return shown
    shown.file = file.name
    samples = load(file)
    shown.recorded_ms = round(len(samples) / 8)
    for call in calls:
        voice = call.phone.voice
        if voice is None:
            continue
        runs = hear(samples, [voice])[voice]
        said = [n for i in wanted for n in call.said(i.started_at, i.ended_at or i.started_at)]
        lost = round(missing_ms(runs, said))
        shown.missing_ms = max(shown.missing_ms, lost)
        shown.checks[f"{call.phone.number} is heard"] = bool(said) and lost <= _MISSING_MS
        extra = round(audible_ms(runs)) - 20 * len(said)
        shown.checks[f"nothing else of {call.phone.number}"] = extra <= _MISSING_MS
    return shown


# --- the calls ---------------------------------------------------------------------------------


def _all_recorded(intervals: list[rows.Interval]) -> bool:
    return all(i.outcome is rows.Outcome.RECORDED for i in intervals if i.wanted) and any(
        i.wanted for i in intervals
    )


def _none_recorded(intervals: list[rows.Interval]) -> bool:
    return all(i.outcome is rows.Outcome.NOT_BY_POLICY for i in intervals)


async def always(stage: Stage) -> Shown:
    """Two who always record."""
    a, b = await stage.phones("101"), await stage.phones("102")
    return await _scene(stage, a, b, "101 calls 102, both always", speak=_all_recorded)


async def never(stage: Stage) -> Shown:
    """One who never does."""
    a, b = await stage.phones("101"), await stage.phones("103")
    return await _scene(stage, a, b, "101 (always) calls 103 (never)", speak=_none_recorded)


async def inbound(stage: Stage) -> Shown:
    """From outside."""
    a, b = await stage.phones("trunk"), await stage.phones("101")
    return await _scene(stage, a, b, "the outside calls 101 (always)", number="5550101", speak=_all_recorded)


async def outbound(stage: Stage) -> Shown:
    """To the outside."""
    a, b = await stage.phones("102"), await stage.phones("trunk")
    return await _scene(stage, a, b, "102 (always) calls outside", number="90612345678", speak=_all_recorded)


async def toggled(stage: Stage) -> Shown:
    """On demand: *1 starts it, *1 stops it."""
    a, b = await stage.phones("104"), await stage.phones("105")

    async def during(call: Call, other: Call) -> None:
        await stage.talk(1.0)
        await call.dtmf("*1")
        await stage.last(lambda found: found[-1].wanted)
        await stage.talk(2.0)
        await other.dtmf("*1")
        await stage.last(lambda found: not found[-1].wanted)
        await stage.talk(1.0)

    title = "104 calls 105, on demand: *1 … *1"
    return await _scene(stage, a, b, title, during=during, speak=_all_recorded)


async def denied(stage: Stage) -> Shown:
    """A press against policy."""
    a, b = await stage.phones("101"), await stage.phones("103")

    async def during(call: Call, _other: Call) -> None:
        await stage.talk(0.7)
        before = (await asyncio.to_thread(stage.recorderd.control.status))["presses"].get("denied", 0)
        await call.dtmf("*1")

        async def refused() -> bool:
            status = await asyncio.to_thread(stage.recorderd.control.status)
            return bool(status["presses"].get("denied", 0) == before + 1)

        await until(refused, "the press denied")
        await stage.talk(1.0)

    title = "101 presses *1 in a call with 103 (never)"
    return await _scene(stage, a, b, title, during=during, speak=_none_recorded)


async def transferred(stage: Stage) -> Shown:
    """A recorded call is transferred to somebody who is never recorded."""
    a, b, c = [await stage.phones(n) for n in ("101", "102", "103")]
    calls: list[Call] = []

    async def during(_call: Call, other: Call) -> None:
        await stage.talk(2.0)
        sending = asyncio.create_task(other.refer("103"))
        third = await c.ringing()
        await third.answer()
        await sending
        await stage.last(lambda found: any(not i.wanted for i in found))
        await stage.talk(2.0)
        calls.append(third)

    def speak(found: list[rows.Interval]) -> bool:
        return found[0].outcome is rows.Outcome.RECORDED and _none_recorded(
            [i for i in found if not i.wanted]
        )

    title = "101 calls 102, who transfers to 103 (never)"
    return await _scene(stage, a, b, title, during=during, speak=speak)


async def unanswered(stage: Stage) -> Shown:
    """Nobody lifts the handset: no file is left."""
    a, b = await stage.phones("101"), await stage.phones("102")
    call = await a.call("102")
    ringing = await b.ringing()
    await stage.talk(0.5)
    await call.cancel()
    await ringing.ended()
    shown = Shown("101 calls 102, nobody answers", decided="always", why="never answered: nothing to keep")
    lanes = stage.recorderd.lanes
    await until(lambda: not any(f.is_file() for f in lanes.rglob("*")), "an empty lane removed")
    shown.checks["no file left"] = True
    return shown


SCENES: tuple[Scene, ...] = (always, never, inbound, outbound, toggled, denied, transferred, unanswered)


# --- the show ----------------------------------------------------------------------------------


async def play(stage: Stage, progress: Callable[[str], None]) -> dict[str, object]:
    """Every scene, then the proof over all of them."""
    shown = []
    for scene in SCENES:
        progress(scene.__doc__ or "")
        shown.append(await scene(stage))
    await stage.recorderd.quiet()
    coverage = await until(lambda: _proven(stage), "the proof", 10)
    held = all(all(s.checks.values()) for s in shown)
    return {"ok": held and coverage["proven"], "calls": [asdict(s) for s in shown], "coverage": coverage}


async def _proven(stage: Stage) -> dict[str, object]:
    """The proof, once every CDR has come."""
    cov = await stage.recorderd.coverage()
    proof: dict[str, object] = {
        "proven": cov.proven,
        "outcomes": {str(k): v for k, v in cov.outcomes.items()},
        "unaccounted": len(cov.unaccounted),
        "orphans": len(cov.orphans),
        "lost": len(cov.lost),
    }
    return proof if cov.proven and not cov.pending else {}


def table(result: dict[str, object]) -> str:
    """For a person."""
    head = ("call", "decided", "recorded", "missing", "linked", "why")
    lines = [head]
    calls = result["calls"]
    assert isinstance(calls, list)
    for c in calls:
        recorded = f"{c['recorded_ms'] / 1000:.2f} s" if c["recorded_ms"] else "nothing"
        lines.append(
            (
                c["call"],
                c["decided"],
                recorded,
                f"{c['missing_ms']} ms",
                "yes" if c["linked"] else "-",
                c["why"],
            )
        )
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(head))]
    text = ["  ".join(str(v).ljust(w) for v, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * w for w in widths))
    for c in calls:
        text += [f"FAILED: {c['call']}: {what}" for what, held in c["checks"].items() if not held]
    return "\n".join(text)


async def show(version: int, once: bool, as_json: bool) -> int:
    """Bring it up, play, tell, and stay until interrupted unless `once`."""

    def progress(text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    folder = Path(tempfile.mkdtemp(prefix="recorderd-demo-"))
    progress(f"Asterisk {version} is being brought up in {folder}")
    asterisk = await asyncio.to_thread(
        lambda: Asterisk.start(
            version,
            folder / "asterisk",
            dialplan=f'[globals](+)\nRECORDERD_AGI=agi://127.0.0.1:@agi_port@\n#include "{DIALPLAN}"\n',
            before_dial="Gosub(recorderd,s,1(${EXTEN}))",
        )
    )
    try:
        recorderd = Recorderd(asterisk, folder / "recorderd")
        recorderd.configure(panel={"port": free_port()})
        await recorderd.allow(POLICY)
        async with recorderd, PanelProcess(recorderd) as panel, Phones(asterisk) as phones:
            result = await play(Stage(asterisk, recorderd, phones), progress)
            print(json.dumps(result, ensure_ascii=False, indent=2) if as_json else table(result), flush=True)
            if not once:
                await _stay(recorderd, panel, as_json)
            return 0 if result["ok"] else 1
    finally:
        await asyncio.to_thread(asterisk.stop)
        if once:
            shutil.rmtree(folder, ignore_errors=True)


async def _stay(recorderd: Recorderd, panel: PanelProcess, quiet: bool) -> None:
    if not quiet:
        people = {"101": (), "104": (), "admin": ("--role", "administrator")}
        codes = [f"{who} {panel.add_user(who, *how)}" for who, how in people.items()]
        print(f"\npanel:      {panel.address}   one-time codes: {', '.join(codes)}")
        print(f"recordings: {recorderd.monitor}\nask it:     recorderd --config {recorderd.config} status")
        print("Ctrl-C ends it.", flush=True)
    await asyncio.Event().wait()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--once", action="store_true", help="play once and end; 0 only if every check held")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--asterisk", type=int, choices=(22, 16), default=22, help="which Asterisk (22)")
    args = parser.parse_args()
    try:
        return asyncio.run(show(args.asterisk, args.once, args.json))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
