"""CPU time of other processes, as the kernel counts it.

Owns the reading of /proc. Steps are 10 ms: measure over hundreds of calls.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.live.daemon import children

_TICK = os.sysconf("SC_CLK_TCK")


def seconds(pid: int) -> float:
    """User and system time of a process, threads that have ended included, children not."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def daemons(pid: int) -> tuple[int, int, int]:
    """The daemon, the clerk that stores its rows, and the process that mixes for it."""
    (clerk,), (mixer,) = children(pid, "recorderd.clerk"), children(pid, "archive.worker")
    return pid, clerk, mixer
