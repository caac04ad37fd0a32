"""The dated tables of docs/transfers.md: the matrix on both versions, and every transfer twenty times on 22.

python -m tests.live.transfers.report [--no-matrix] [--repeat 20] [--write docs/transfers.md]
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from tests.live.transfers import play
from tests.live.transfers.cases import KINDS, SCENARIOS
from tests.live.transfers.scenario import Scenario
from tests.live.transfers.verdict import Verdict

_AT_A_TIME = 80  # scenarios in one house: it has so many extensions


@dataclass
class Result:
    """What came of some plays of one scenario."""

    plays: int = 0
    good: int = 0
    required_ms: float = 0.0
    missing_ms: float = 0.0
    gap_ms: float = 0.0
    forbidden_ms: float = 0.0
    leaked_ms: float = 0.0
    doubtful_ms: float = 0.0
    rows: int = 0
    linked: int = 0

    def add(self, verdict: Verdict) -> None:
        self.plays += 1
        self.good += not verdict.faults
        self.required_ms += verdict.required_ms
        self.missing_ms += verdict.missing_ms
        self.gap_ms = max(self.gap_ms, verdict.gap_ms)
        self.forbidden_ms += verdict.forbidden_ms
        self.leaked_ms += verdict.leaked_ms
        self.doubtful_ms += verdict.doubtful_ms
        self.rows += verdict.rows
        self.linked += verdict.linked

    def cells(self) -> str:
        """One row of a table, without its first column."""
        there = self.required_ms - self.missing_ms
        return (
            f"{self.good} of {self.plays} | {there:,.0f} of {self.required_ms:,.0f} | {self.gap_ms:.0f} | "
            f"{self.leaked_ms:.0f} of {self.forbidden_ms:,.0f} | {self.linked} of {self.rows}"
        )


_HEAD = (
    "| {what} | plays without fault | ms there of ms required | longest gap, ms | ms on disk of ms forbidden "
    "| CDR rows with audio |\n|---|---|---|---|---|---|"
)


def twenty_times(repeat: int) -> list[Scenario]:
    """Every transfer, so many times, each time with people of its own."""
    return [
        replace(scenario, name=f"{scenario.name} #{n}")
        for n in range(1, repeat + 1)
        for scenario in SCENARIOS
        if scenario.transfer
    ]


def played(version: int, scenarios: Sequence[Scenario], at_once: int) -> Iterator[tuple[Scenario, Verdict]]:
    """The verdict on each; several houses, one after the other."""
    for first in range(0, len(scenarios), _AT_A_TIME):
        some = scenarios[first : first + _AT_A_TIME]
        with tempfile.TemporaryDirectory(prefix="transfers-") as folder:
            found = play.run(version, Path(folder), some, at_once=at_once)
            if found.proof or found.strays():
                print("NOT PROVEN", found.proof, found.strays(), flush=True)
            for scenario in some:
                verdict = found.verdict(scenario.name)
                if verdict.faults:
                    print(verdict, flush=True)
                yield scenario, verdict


def table(what: str, results: dict[str, Result]) -> str:
    """All rows, and their sum."""
    total = Result()
    for result in results.values():
        total.plays += result.plays
        total.good += result.good
        total.gap_ms = max(total.gap_ms, result.gap_ms)
        for name in (
            "required_ms",
            "missing_ms",
            "forbidden_ms",
            "leaked_ms",
            "doubtful_ms",
            "rows",
            "linked",
        ):
            setattr(total, name, getattr(total, name) + getattr(result, name))
    share = 1 - total.missing_ms / total.required_ms if total.required_ms else 1.0
    lines = [_HEAD.format(what=what)]
    lines += [f"| {name} | {result.cells()} |" for name, result in results.items()]
    lines.append(f"| **all: {share:.2%} of what was required** | {total.cells()} |")
    if total.doubtful_ms:
        lines += ["", f"{total.doubtful_ms:.0f} ms more could be read as forbidden by an ear that may err."]
    return "\n".join(lines)


def kind_of(scenario: Scenario) -> str:
    return next(kind for kind, some in KINDS.items() if scenario.name in {s.name for s in some})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-matrix", action="store_true", help="only the repetitions")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=10, help="calls at a time in the repetitions")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    for version in () if asked.no_matrix else (22, 16):
        results: dict[str, Result] = {kind: Result() for kind in KINDS}
        for scenario, verdict in played(version, SCENARIOS, play.AT_ONCE):
            results[kind_of(scenario)].add(verdict)
        _tell(asked.write, f"The matrix on Asterisk {version}", play.AT_ONCE, table("kind of call", results))
    repeated: dict[str, Result] = {}
    for scenario, verdict in played(22, twenty_times(asked.repeat), asked.at_once):
        repeated.setdefault(scenario.name.rpartition(" #")[0], Result()).add(verdict)
    _tell(
        asked.write,
        "Every transfer again and again on Asterisk 22",
        asked.at_once,
        table("transfer", repeated),
    )


def _tell(page: Path | None, heading: str, at_once: int, rows: str) -> None:
    """Print a section, and put it into the page in the place of the one with its heading, else before the last."""
    made = f"Made on {date.today().isoformat()}, up to {at_once} scenarios at a time."
    section = f"## {heading}\n\n{made}\n\n{rows}\n\n"
    print(section, flush=True)
    if page is None:
        return
    sections = re.split(r"^(?=## )", page.read_text(), flags=re.MULTILINE)
    old = [n for n, text in enumerate(sections) if text.startswith(f"## {heading}\n")]
    at = old[0] if old else len(sections) - 1
    sections[at : at + len(old)] = [section]
    page.write_text("".join(sections))


if __name__ == "__main__":
    main()
