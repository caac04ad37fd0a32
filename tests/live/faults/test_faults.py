"""Whatever breaks, at whatever instant: no word is lost untold, none is recorded twice or against policy.

Truth is what the telephones said and heard. The short forms run each time; the long ones, which write
docs/faults.md, with `scripts/test --full`.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.live.faults import disk
from tests.live.faults.injector import BY_NAME, FAULTS, chosen
from tests.live.faults.run import BAD, RECOVERY, Run, lines, run, table

pytestmark = [pytest.mark.live, pytest.mark.skipif(bool(disk.missing()), reason=disk.missing())]

CLOCK = "clock stepped"
NAMES = [fault.name for fault in FAULTS if fault.name != CLOCK]
REPORT = Path(__file__).resolve().parents[3] / "docs" / "faults.md"
# What a run shares its two cores with may take its seconds too; the long form is judged by the figure.
_GENEROUS = 3 * RECOVERY


def _assert_nothing_untold(played: Run, recovery: float) -> None:
    print(table(played))
    bad = [str(v) for kind in BAD for v in played.of(kind)]
    assert not bad, "\n".join(bad)
    assert not played.coverage.pending
    assert not played.coverage.unaccounted
    assert not played.coverage.orphans
    assert not played.coverage.lost
    late = {line.name: (line.recovery, line.well) for line in lines(played)}
    assert all(max(times) <= recovery for times in late.values()), late


@pytest.mark.timeout(300)
async def test_each_fault_once_under_load_leaves_nothing_untold(tmp_path: Path) -> None:
    faults = chosen(NAMES, len(NAMES), random.Random(7))
    _assert_nothing_untold(await run(22, tmp_path, seed=7, faults=faults, phones_of=8), _GENEROUS)


@pytest.mark.timeout(200)
async def test_a_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    faults = [BY_NAME[CLOCK]] * 2
    _assert_nothing_untold(await run(22, tmp_path, seed=8, faults=faults, phones_of=6), _GENEROUS)


@pytest.mark.timeout(200)
async def test_sixty_calls_without_a_fault_raise_no_alarm(tmp_path: Path) -> None:
    played = await run(22, tmp_path, seed=9, calls=60, phones_of=15, seconds=(1.0, 6.0))
    _assert_no_alarm(played)


def _assert_no_alarm(played: Run) -> None:
    _assert_nothing_untold(played, RECOVERY)
    assert [str(v) for v in played.of("told")] == []
    assert [alarm.sentence for alarm in played.alarms] == []
    assert not played.left


@pytest.mark.full
@pytest.mark.timeout(3600)
async def test_two_hundred_faults_at_random_instants_leave_nothing_untold(tmp_path: Path) -> None:
    seed = 20261123
    faults = chosen(NAMES, 195, random.Random(seed))
    played = await run(22, tmp_path / "a", seed=seed, faults=faults, phones_of=16)
    clock = await run(22, tmp_path / "b", seed=seed + 1, faults=[BY_NAME[CLOCK]] * 10, phones_of=8)
    write_report(seed, played, clock)
    assert len(played.injected) + len(clock.injected) >= 200
    assert len(played.verdicts) + len(clock.verdicts) >= 500
    for one in (played, clock):
        _assert_nothing_untold(one, _GENEROUS)


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_a_thousand_calls_without_a_fault_raise_no_alarm(tmp_path: Path) -> None:
    played = await run(22, tmp_path, seed=10, calls=1000, phones_of=20, seconds=(1.0, 6.0))
    _assert_no_alarm(played)
    write_clean(played)


# --- the report --------------------------------------------------------------------------------

_MARK = "<!-- made by scripts/test --full: {} -->"


def write_report(seed: int, *runs: Run) -> None:
    """Put the table of a long run into docs/faults.md."""
    injected = sum(len(one.injected) for one in runs)
    talks = sum(len(one.verdicts) for one in runs)
    what = "\n".join(f"* **{fault.name}**: {fault.what}." for fault in FAULTS)
    rows = table(runs[0]) + "\n" + "\n".join(row for one in runs[1:] for row in table(one).splitlines()[2:])
    stamp = time.strftime("%d %b %Y", time.gmtime())
    text = (
        f"{stamp}, Asterisk 22, seed {seed}: {injected} faults at random instants over {talks} talks; "
        f"20 ms frames counted at the telephones and in the files.\n\n{rows}\n\n{what}"
    )
    _put("faults", text)


def write_clean(played: Run) -> None:
    """The line about the run without faults."""
    stamp = time.strftime("%d %b %Y", time.gmtime())
    missing = max(v.missing_ms for v in played.verdicts if v.wanted)
    _put(
        "clean",
        f"{stamp}: {played.tried} calls without a fault, {len(played.alarms)} alarms, every talk whole "
        f"(at worst {missing} ms missing, the frames in flight at its ends).",
    )


def _put(name: str, text: str) -> None:
    begin, end = _MARK.format(name), _MARK.format(f"end of {name}")
    page = REPORT.read_text()
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    REPORT.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")
