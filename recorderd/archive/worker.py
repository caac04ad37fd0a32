"""The mixing process: a Mix or a Measure per line on standard input, a Mixed per line on standard output, one after
another.

Owns its own life: niced, so that no call ever waits for it, and gone the moment its parent is (end of file
on standard input), even in the middle of a job: the job is done again by the next one. What a person should
know goes to standard error.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from dataclasses import replace

from recorderd.archive import files, jobs, measure, mixdown
from recorderd.core import commands, events
from recorderd.errors import AudioError, PlaceError

_NICENESS = 10
_EX_DATAERR = 65

log = logging.getLogger("recorderd.archive.worker")


def do(command: jobs.Job) -> events.Mixed:
    """The answer to one job; an `error` in it when the job cannot be done, whatever the cause."""
    try:
        if isinstance(command, commands.Measure):
            return _measured(command)
        mixture = mixdown.run(command, now=time.time, sleep=time.sleep)
    except PlaceError as error:
        return replace(_failed(command, str(error)), again=True)
    except AudioError as error:
        return _failed(command, str(error))
    except Exception as error:
        log.exception("mixing %s failed", command.recording_id)
        return _failed(command, f"{command.path} cannot be mixed: {error!r}")
    for lane in mixture.found:
        if lane.problem:
            log.warning("lane %s of %s is silent: %s", lane.lane_id, command.recording_id, lane.problem)
    if mixture.trouble:
        log.warning("%s has no stereo file: %s", command.recording_id, mixture.trouble)
    return events.Mixed(
        at=time.time(),
        recording_id=command.recording_id,
        duration_ms=mixture.duration_ms,
        size=mixture.size,
        audio={lane.lane_id: lane.duration_ms for lane in mixture.found},
        stereo=mixture.stereo,
        silent=mixture.silent,
        whole=tuple(lane.lane_id for lane in mixture.found if lane.closed),
    )


def main() -> int:
    logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
    os.nice(_NICENESS)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), name="jobs", daemon=True).start()
    while True:
        try:
            command = jobs.load(lines.get())
        except AudioError as error:
            log.error("%s", error)
            return _EX_DATAERR
        files.write_all(sys.stdout.fileno(), jobs.dump_mixed(do(command)))


def _read(lines: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    # The parent is gone: nobody waits for the answer, and its successor may be at the same job already.
    os._exit(0)


def _measured(command: commands.Measure) -> events.Mixed:
    duration_ms, size = measure.run(command, now=time.time, sleep=time.sleep)
    return events.Mixed(
        at=time.time(), recording_id=command.recording_id, duration_ms=duration_ms, size=size, audio={}
    )


def _failed(command: jobs.Job, error: str) -> events.Mixed:
    return events.Mixed(
        at=time.time(), recording_id=command.recording_id, duration_ms=0, size=0, audio={}, error=error
    )


if __name__ == "__main__":
    sys.exit(main())
