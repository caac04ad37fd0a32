"""The policy step in the dialplan: ours with FastAGI against a FreePBX-like one with AstDB, in a real Asterisk 22.

Both are one Gosub before Dial: ours asks the daemon (dialplan/recorderd.conf), the other decides by itself from
AstDB (bench/freepbx.conf). Asterisk's own clock is read before and after. Calls of both kinds alternate.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from bench import cpu
from bench.row import Row, at, median
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd
from tests.live.rig_ami import RigAmi
from tests.live.scene import ASKING

NAME = "dialplan"
HERE = Path(__file__).parent
STEPS = {
    "ours": "Gosub(recorderd,s,1(102))",
    "freepbx": "Gosub(bench-sub-record-check,s,1(exten,102))",
    "nothing": "NoOp()",
}
CONTEXT = "\n[bench-step]\n" + "\n".join(
    f"""exten => {kind},1,Set(BEGUN=${{STRFTIME(,,%s%6q)}})
 same => n,{step}
 same => n,Set(ENDED=${{STRFTIME(,,%s%6q)}})
 same => n,UserEvent(Step,Kind: {kind},Begun: ${{BEGUN}},Ended: ${{ENDED}})
 same => n,Answer()
 same => n,Hangup()"""
    for kind, step in STEPS.items()
)
KEPT = {
    "AMPUSER/101/recording/out internal": "dontcare",
    "AMPUSER/102/recording/in internal": "force",
    "AMPUSER/102/recording priority": "10",
    "AMPUSER/102/recording ondemand": "disabled",
}


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(4 if quick else 8, 60 if quick else 150))


async def _run(rounds: int, calls: int) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="step-"))
    include = f'\n#include "{HERE / "freepbx.conf"}"\n'
    asterisk = await asyncio.to_thread(
        Asterisk.start, 22, folder / "asterisk", dialplan=ASKING + include + CONTEXT
    )
    try:
        for key, value in KEPT.items():
            await asyncio.to_thread(asterisk.cli, f"database put {key} {value}")
        async with (
            Recorderd(asterisk, folder / "recorderd") as daemon,
            RigAmi(asterisk.ami_port, asterisk.secret) as ami,
        ):
            await daemon.allow({"101": "always", "102": "always"})
            took: dict[str, list[list[float]]] = {kind: [] for kind in STEPS}
            cost: dict[str, list[tuple[float, float]]] = {kind: [] for kind in STEPS}
            for number in range(rounds + 1):
                for kind in STEPS:
                    before = cpu.seconds(asterisk.pid), _of_ours(daemon)
                    times = await _times(ami, kind, calls)
                    if number:  # the first round warms everything up
                        took[kind].append(times)
                        # The rows of these calls are this round's; asking would cost it too.
                        await asyncio.sleep(3)
                        spent = cpu.seconds(asterisk.pid) - before[0], _of_ours(daemon) - before[1]
                        cost[kind].append((1000 * spent[0] / calls, 1000 * spent[1] / calls))
            return [*_rows(took), *_cost(cost)]
    finally:
        await asyncio.to_thread(asterisk.stop)


def _of_ours(daemon: Recorderd) -> float:
    return sum(cpu.seconds(pid) for pid in cpu.daemons(daemon.pid))


async def _times(ami: RigAmi, kind: str, calls: int) -> list[float]:
    """Seconds that the step took in each of so many calls, twenty a second."""
    ami.events.clear()

    def steps() -> list[dict[str, str]]:
        return [e for e in ami.events if e.get("Event") == "UserEvent" and e.get("Kind") == kind]

    for _ in range(calls):
        await ami.action(
            "Originate",
            Channel=f"Local/{kind}@bench-step",
            Application="Wait",
            Data="1",
            CallerID="101 <101>",
            Async="true",
        )
        await asyncio.sleep(0.05)
    await ami.until(lambda: len(steps()) >= calls, f"{calls} steps of {kind}", 20)
    return [(int(e["Ended"]) - int(e["Begun"])) / 1e6 for e in steps()]


def _cost(cost: dict[str, list[tuple[float, float]]]) -> list[Row]:
    """What the daemon's session costs Asterisk (it is there all the time) is in all of them."""
    told = ", ".join(
        f"{kind} {median([a for a, _ in spent]):.2f} + {median([d for _, d in spent]):.2f} ms"
        for kind, spent in cost.items()
    )
    pairs = list(zip(cost["ours"], cost["freepbx"], strict=True))
    return [
        Row(
            what="CPU per call, ours (Asterisk and daemon) ÷ FreePBX-like (Asterisk)",
            value=median([sum(ours) / theirs[0] for ours, theirs in pairs]),
            unit="×",
            goal=("<=", 0.9),
            detail=f"Asterisk + daemon: {told} a call, one without talk",
        ),
        Row(
            what="… with what the daemon does for the other's calls too (their CDRs)",
            value=median([sum(ours) / sum(theirs) for ours, theirs in pairs]),
            unit="×",
        ),
    ]


def _rows(took: dict[str, list[list[float]]]) -> list[Row]:
    rows = []
    for share, goal in ((0.5, 0.75), (0.99, 1.0)):
        ratios = [at(a, share) / at(b, share) for a, b in zip(took["ours"], took["freepbx"], strict=True)]
        told = ", ".join(
            f"{kind} {1000 * median([at(t, share) for t in took[kind]]):.2f} ms" for kind in took
        )
        rows.append(
            Row(
                what=f"p{share * 100:.0f} of the policy step, ours ÷ FreePBX-like",
                value=median(ratios),
                unit="×",
                goal=("<=", goal),
                detail=told,
            )
        )
    return rows
