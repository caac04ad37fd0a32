"""The daemon's side of the archive: hands jobs to the mixing process and its answers to the engine.

Owns the worker process and the queue before it. Must not know samples. Whatever happens to the worker, each
Mix is answered by exactly one Mixed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from recorderd.archive import jobs
from recorderd.core import events
from recorderd.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recorderd.core import commands

TRIES = 3
# A two-hour conference is mixed in seconds; a job that takes this long waits for a disk that does not answer.
JOB_SECONDS = 300.0
_RETRY_SECONDS = 0.2
_EXIT_SECONDS = 2.0
# A Mixed carries one number per lane: this is thousands of lanes.
_LINE_LIMIT = 1 << 20
WORKER = (sys.executable, "-m", "recorderd.archive.worker")

log = logging.getLogger("recorderd.archive")


class Archive:
    """`put` gets one Mixed per `mix`, in the order asked, in the loop that called `start`.

    `clock` gives seconds since the epoch, for answers that the worker did not live to give.
    """

    def __init__(
        self,
        put: Callable[[events.Event], None],
        clock: Callable[[], float],
        *,
        worker: Sequence[str] = WORKER,
        job_seconds: float = JOB_SECONDS,
    ) -> None:
        self._put = put
        self._clock = clock
        self._worker = tuple(worker)
        self._job_seconds = job_seconds
        self._jobs: asyncio.Queue[jobs.Job] = asyncio.Queue()
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if alive and self._process else None

    @property
    def waiting(self) -> int:
        """How many jobs stand in the queue, the one in work not counted."""
        return self._jobs.qsize()

    async def start(self) -> None:
        """The worker is being started and jobs are taken from now on. To be called once, inside the loop."""
        self._task = asyncio.create_task(self._run(), name="archive")

    def mix(self, command: commands.Mix) -> None:
        """Queue a job; never blocks."""
        self._jobs.put_nowait(command)

    def measure(self, command: commands.Measure) -> None:
        """Queue one; never blocks. It is answered as a Mix is."""
        self._jobs.put_nowait(command)

    async def close(self, grace: float = 5.0) -> None:
        """Let queued jobs finish for at most `grace` seconds, then end the worker; no answers after that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._jobs.join()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._end_worker()

    async def _run(self) -> None:
        await self._warm_up()
        while True:
            command = await self._jobs.get()
            try:
                self._put(await self._answer(command))
            except Exception:
                # One answer that somebody choked on must not be the last one given.
                log.exception("the answer to mixing %s was lost", command.recording_id)
            self._jobs.task_done()

    async def _answer(self, command: jobs.Job) -> events.Mixed:
        reason = ""
        for attempt in range(1, TRIES + 1):
            try:
                return await self._ask(command)
            except AudioError as error:
                reason = str(error)
                log.warning("mixing %s, try %d of %d: %s", command.recording_id, attempt, TRIES, reason)
            await self._end_worker()
            await asyncio.sleep(_RETRY_SECONDS * attempt)
        return events.Mixed(
            at=self._clock(),
            recording_id=command.recording_id,
            duration_ms=0,
            size=0,
            audio={},
            error=f"{command.path} could not be mixed in {TRIES} tries: {reason}",
            again=True,
        )

    async def _ask(self, command: jobs.Job) -> events.Mixed:
        """The worker's answer. Raises AudioError if it gives none, or a wrong one."""
        process = await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(jobs.dump(command))
            await process.stdin.drain()
            async with asyncio.timeout(self._job_seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            raise AudioError(f"The mixing worker gave no answer in {self._job_seconds:g} s") from None
        except ConnectionError:
            line = b""
        except ValueError as error:
            raise AudioError(f"The mixing worker cannot be spoken to: {error}") from error
        if not line:
            raise AudioError("The mixing worker died at this job")
        mixed = jobs.load_mixed(line)
        if mixed.recording_id != command.recording_id:
            raise AudioError("The mixing worker answered another job")
        return mixed

    async def _warm_up(self) -> None:
        """Start the worker before it is needed; if that fails, the first job will say so."""
        with contextlib.suppress(AudioError):
            await self._started()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._worker,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT,
                # A session of its own: a Ctrl-C at the daemon's terminal must not end a mix.
                start_new_session=True,
                # numpy's linear algebra, which we do not use, else starts a thread per core.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise AudioError(f"The mixing worker cannot be started: {error.strerror}") from error
        return self._process

    async def _end_worker(self) -> None:
        """The worker is killed, which no file notices. One stuck in the disk is left to itself."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                await _reaped(process)
        except TimeoutError:
            log.error("the mixing worker %d cannot be killed", process.pid)


async def _reaped(process: asyncio.subprocess.Process) -> None:
    """The process has ended and its pipes are closed, which asyncio sees only when they are read empty."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    while await process.stdout.read(_LINE_LIMIT):
        pass
    await process.wait()
