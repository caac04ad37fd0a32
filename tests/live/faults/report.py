"""The tables of docs/faults.md, made by long runs. By hand: `python -m tests.live.faults.report [SEED]`.

Owns that page's marked places. What a run is, is `run`'s.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from recorderd.core.intervals import TOLERANCE_MS
from tests.live.faults.injector import BY_NAME, FAULTS, chosen
from tests.live.faults.run import BAD, KINDS, Run, late, run, table

REPORT = Path(__file__).resolve().parents[3] / "docs" / "faults.md"
CLOCK = "clock stepped"
NAMES = [fault.name for fault in FAULTS if fault.name != CLOCK]
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
        f"20 ms frames counted at the telephones and in the files.{_stuttered(runs)}\n\n{rows}\n\n{what}"
    )
    _put("faults", text)


def _stuttered(runs: Sequence[Run]) -> str:
    count = sum(len(one.of("stuttered")) for one in runs)
    if not count:
        return ""
    return (
        f" In {count} of the talks words are missing that nobody tells of, but the telephones themselves stood still"
        " for 100 ms or more in them (a busy machine) and sent in a burst, of which Asterisk's recorder drops a part."
    )


def write_clean(played: Run) -> None:
    """The line about the run without faults."""
    stamp = time.strftime("%d %b %Y", time.gmtime())
    missing = sorted(v.missing_ms for v in played.verdicts if v.wanted)
    beyond = sum(ms > TOLERANCE_MS for ms in missing)
    _put(
        "clean",
        f"{stamp}: {played.tried} calls without a fault, {len(played.alarms)} alarms, {len(played.left)} files left "
        f"over. At most {missing[-1]} ms of a talk were not recognised in its file (half of them: "
        f"{missing[len(missing) // 2]} ms), the frames in flight at its ends and what the ear mistakes where two "
        f"voices meet; {beyond} talks of {len(missing)} were beyond {TOLERANCE_MS} ms.",
    )


def _put(name: str, text: str) -> None:
    begin, end = _MARK.format(name), _MARK.format(f"end of {name}")
    page = REPORT.read_text()
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    REPORT.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")


def tell(played: Run) -> None:
    """The table, all that must not be, and after what words were lost for too long."""
    print(table(played))
    print({kind: len(played.of(kind)) for kind in KINDS}, f"worst delay {played.worst_delay:.3f} s")
    for kind in ("stuttered", *BAD):
        for verdict in played.of(kind):
            print(verdict)
    print(*late(played), sep="\n")


async def nightly(seed: int, folder: Path, faults: int = 195) -> tuple[Run, Run]:
    """At least 200 faults at random instants; the clock's have a run of their own, for libfaketime disturbs others."""
    mixed = chosen(NAMES, faults, random.Random(seed))
    played = await run(22, folder / "a", seed=seed, faults=mixed, phones_of=14)
    tell(played)
    write_report(seed, played)
    clock = await run(22, folder / "b", seed=seed + 1, faults=[BY_NAME[CLOCK]] * 10, phones_of=8)
    write_report(seed, played, clock)
    return played, clock


def main() -> int:
    """A long run by hand."""
    seed = int(sys.argv[1]) if sys.argv[1:] else 20261123
    with tempfile.TemporaryDirectory(prefix="recorderd-nightly-") as folder:
        tell(asyncio.run(nightly(seed, Path(folder)))[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
