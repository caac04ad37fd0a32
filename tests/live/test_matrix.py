"""Every pair of policies, in every direction, by every path: all at once, each judged by itself.

The three paths: recorderd only watches; the dialplan asks it over FastAGI before it dials; the dialplan asks
through the script for hosts without FastAGI. recorderd watches in all three, and none is recorded twice.
In the middle of each call somebody presses, so that each call also shows what it did before and after.
"""

from __future__ import annotations

import asyncio
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.daemon import REPOSITORY
from tests.live.phone import Call, Phones
from tests.live.scene import ASKING, Scene, scene

pytestmark = [pytest.mark.live, pytest.mark.alone]

MODES = ("always", "on-demand", "never")
PATHS = {"watch": "", "dialplan": "5", "script": "6"}  # each path's prefix in the rig's dialplan
_FIRST = 101
_TRUNK = "trunk"
_TRUNKS_VOICE = 7
_SLACK = 0.3  # seconds around a press, on a machine with 45 calls
_STUTTER = 0.06  # seconds that a telephone's packet may leave late
_MOST = 0.5  # milliseconds are asserted elsewhere, one call at a time

# What a pair of policies comes to; a trunk has none.
NEVER, ALWAYS, ON_DEMAND = "never", "always", "on-demand"
EXPECTED = {
    frozenset((ALWAYS,)): ALWAYS,
    frozenset((ON_DEMAND,)): ON_DEMAND,
    frozenset((NEVER,)): NEVER,
    frozenset((ALWAYS, ON_DEMAND)): ALWAYS,
    frozenset((ALWAYS, NEVER)): NEVER,
    frozenset((ON_DEMAND, NEVER)): NEVER,
}
# The answer to a toggle in the middle of the call.
PRESSED = {ALWAYS: "denied", NEVER: "denied", ON_DEMAND: "started"}


@dataclass(eq=False)
class Cell:
    """One call of the matrix and what came of it. A side without a mode is the trunk."""

    path: str
    caller_mode: str
    callee_mode: str
    caller: str = ""
    callee: str = ""
    calls: tuple[Call, Call] | None = None
    pressed: tuple[float, float] = (0.0, 0.0)
    answer: str = ""
    files: list[Path] = field(default_factory=list)

    @property
    def expected(self) -> str:
        return EXPECTED[frozenset(filter(None, (self.caller_mode, self.callee_mode)))]

    @property
    def dialled(self) -> str:
        prefix = PATHS[self.path]
        if not self.caller_mode:
            return f"555{prefix or '0'}{self.callee}"
        return f"{prefix}90{self.callee}" if not self.callee_mode else prefix + self.callee

    def __str__(self) -> str:
        return f"{self.path}-{self.caller_mode or _TRUNK}-{self.callee_mode or _TRUNK}"


def cells() -> list[Cell]:
    """The matrix, with an extension of its own for every party."""
    pairs = [*product(MODES, MODES), *(("", mode) for mode in MODES), *((mode, "") for mode in MODES)]
    # The paths in turn: the scripts, a Python for each, are not all begun in the same second.
    matrix = [Cell(path, *pair) for pair in pairs for path in PATHS]
    free = iter(range(_FIRST, _FIRST + 99))
    for cell in matrix:
        own = str(next(n for n in free if (n - _FIRST) % 8 not in (_TRUNKS_VOICE - 1, _TRUNKS_VOICE)))
        other = str(next(free)) if cell.caller_mode and cell.callee_mode else ""
        cell.caller, cell.callee = (own, other or f"6{own}") if cell.caller_mode else (f"7{own}", own)
    return matrix


DIALPLAN = (
    ASKING
    + """
[rig-extra](+)
exten => _51XX,1,Gosub(recorderd,s,1(${{EXTEN:1}}))
 same => n,Set(CDR(userfield)=${{CUT(RECORDERD_ADVICE,\\,,2)}})
 same => n,Dial(PJSIP/${{EXTEN:1}},30)
 same => n,Hangup()
exten => _59X.,1,Gosub(recorderd,s,1(${{EXTEN:2}}))
 same => n,Set(CDR(userfield)=${{CUT(RECORDERD_ADVICE,\\,,2)}})
 same => n,Dial(PJSIP/${{EXTEN:2}}@trunk,30)
 same => n,Hangup()
exten => _6XXX,1,Set(RECORDERD_AGI={script},)
 same => n,Gosub(recorderd,s,1(${{EXTEN:1}}))
 same => n,Set(CDR(userfield)=${{CUT(RECORDERD_ADVICE,\\,,2)}})
 same => n,Dial(PJSIP/${{EXTEN:1}},30)
 same => n,Hangup()
exten => _69X.,1,Set(RECORDERD_AGI={script},)
 same => n,Gosub(recorderd,s,1(${{EXTEN:2}}))
 same => n,Set(CDR(userfield)=${{CUT(RECORDERD_ADVICE,\\,,2)}})
 same => n,Dial(PJSIP/${{EXTEN:2}}@trunk,30)
 same => n,Hangup()
[rig-extra-trunk](+)
exten => _555[56]XXX,1,Goto(rig-extra,${{EXTEN:3}},1)
"""
)


def agi_script(folder: Path, socket: Path) -> Path:
    """What setup.cfg installs as recorderd-agi, as a file of the test's own."""
    script = folder / "recorderd-agi"
    script.write_text(
        f"#!/bin/sh\nexport RECORDERD_CONTROL={socket} PYTHONPATH={REPOSITORY}\n"
        f'exec {sys.executable} -m recorderd.agi.script "$@"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return script


@dataclass
class Played:
    """The whole matrix, played."""

    house: Scene
    cells: list[Cell]
    files: list[Path]


@pytest.fixture(scope="module", params=[22, 16])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    for stutter_allowed in (_STUTTER, float("inf")):
        folder = tmp_path_factory.mktemp("matrix")
        script = agi_script(folder, folder / "recorderd" / "control.sock")
        matrix = cells()
        policy = {c.caller: c.caller_mode for c in matrix if c.caller_mode}
        policy |= {c.callee: c.callee_mode for c in matrix if c.callee_mode}
        options = {"dialplan": DIALPLAN.format(script=script), "endpoints": 99}
        with scene(request.param, folder, policy, **options) as house:
            files = asyncio.run(_play(house, matrix))
            # A machine too busy to let 90 telephones speak in time gets a second chance.
            if house.stutter <= stutter_allowed:
                yield Played(house, matrix, files)
                return


async def _play(house: Scene, matrix: list[Cell]) -> list[Path]:
    async with house.take() as take, house.phones() as phones:
        for cell in matrix:
            for number, mode in ((cell.caller, cell.caller_mode), (cell.callee, cell.callee_mode)):
                phone = await phones(number if mode else _TRUNK)
                phone.auto_answer = 0.2
        async with asyncio.TaskGroup() as together:
            for cell in matrix:
                together.create_task(_play_cell(house, phones, cell))
                await asyncio.sleep(0.12)
    for cell in matrix:
        own = {cell.caller if cell.caller_mode else cell.callee}
        cell.files = [file for file in take.files if not own.isdisjoint(file.name.split("-")[1:3])]
    return take.files


async def _play_cell(house: Scene, phones: Phones, cell: Cell) -> None:
    caller = await phones(cell.caller if cell.caller_mode else _TRUNK)
    callee = await phones(cell.callee if cell.callee_mode else _TRUNK)
    call = await caller.call(cell.dialled, caller="" if cell.caller_mode else cell.caller)
    await call.up()
    other = next(c for c in callee.calls if not c.outgoing and c.number == cell.caller)
    cell.calls = (call, other)
    await asyncio.sleep(1.0)
    presser = cell.caller if cell.caller_mode else cell.callee
    began = time.time()
    said = await asyncio.to_thread(
        house.daemon.control.press, "toggle", presser, by=presser, source="cli", reason=""
    )
    cell.answer, cell.pressed = said["outcome"], (began, time.time())
    await asyncio.sleep(1.2)
    await call.hangup()
    await other.ended()


CELLS = [str(cell) for cell in cells()]


@pytest.mark.parametrize("index", range(len(CELLS)), ids=CELLS)
def test_each_pair_of_policies_is_obeyed(played: Played, index: int) -> None:
    cell = played.cells[index]
    assert cell.calls is not None
    assert cell.answer == PRESSED[cell.expected]
    if cell.expected == NEVER:
        assert cell.files == []
        return
    assert len(cell.files) == 1, cell.files
    assert ears.audible(cell.files[0]) == {call.stream.voice for call in cell.calls}
    for call in cell.calls:
        since = cell.pressed[0] if cell.expected == ON_DEMAND else call.up_at
        there = ears.frames_in(cell.files[0], call, since)
        before = set(call.said(until=cell.pressed[0] - _SLACK))
        after = set(call.said(since=cell.pressed[1] + _SLACK))
        assert len(there & after) >= _MOST * len(after)
        if cell.expected == ON_DEMAND:
            assert not there & before
        else:
            assert len(there & before) >= _MOST * len(before)


def test_asterisks_own_records_name_the_file_of_each_recorded_call_and_of_no_other(played: Played) -> None:
    for cell in played.cells:
        named = {row["recordingfile"] for row in _cdrs(played, cell) if row["recordingfile"]}
        assert named == {file.name for file in cell.files}, cell


def test_where_the_dialplan_asked_it_was_answered(played: Played) -> None:
    """What it was told stands in the CDR, so a path that only seems to work does not pass for one."""
    silent = []
    for cell in played.cells:
        told = {row["userfield"] for row in _cdrs(played, cell)}
        if told == {""}:
            silent.append(cell)
        else:
            assert told == {cell.expected}, cell
    assert [cell.path for cell in silent].count("watch") == len(played.cells) / len(PATHS)
    # A script that Python starts has 300 ms, which a machine with 45 calls does not always give it.
    assert len(silent) <= len(played.cells) / len(PATHS) + 3, [str(cell) for cell in silent]


def _cdrs(played: Played, cell: Cell) -> list[dict[str, str]]:
    own = cell.caller if cell.caller_mode else cell.callee
    return [row for row in played.house.asterisk.cdrs() if own in _extensions(row)]


def _extensions(row: dict[str, str]) -> set[str]:
    return {row[side].rpartition("-")[0].removeprefix("PJSIP/") for side in ("channel", "dstchannel")}


async def test_the_matrix_is_proven(played: Played) -> None:
    recorded = sum(cell.expected != NEVER for cell in played.cells)
    assert len(played.files) == recorded
    coverage = await played.house.proof(stuttering=True)
    assert coverage.outcomes[Outcome.RECORDED] + coverage.outcomes[Outcome.PARTIAL] == recorded
