"""The mixing process beside the daemon: real processes, real files, real kills."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from recorderd.archive import archive, jobs, wav
from recorderd.core import commands, events
from recorderd.errors import AudioError
from tests.archive.conftest import DEADLINE_SECONDS, eventually, is_alive
from tests.archive.sounds import mix_lane, ramp, read_samples, stretches, write_lane

T0 = 1_795_000_000.0
HOUR = 3600.0


class Desk:
    """An Archive and the answers it gave."""

    def __init__(self, worker: Sequence[str] = archive.WORKER, job_seconds: float = DEADLINE_SECONDS) -> None:
        self.answers: list[events.Mixed] = []
        self.archive = archive.Archive(self.answers.append, time.time, worker=worker, job_seconds=job_seconds)

    async def mixed(self, command: commands.Mix) -> events.Mixed:
        before = len(self.answers)
        self.archive.mix(command)
        await eventually(lambda: len(self.answers) > before)
        assert self.answers[before].recording_id == command.recording_id
        return self.answers[before]


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.archive.start()
    yield made
    await made.archive.close(grace=0)


def command(
    path: Path, *lanes: commands.MixLane, seconds: float = 2.0, recording_id: str = "r1"
) -> commands.Mix:
    return commands.Mix(
        recording_id=recording_id, path=str(path), timeline=stretches((T0, T0 + seconds)), lanes=lanes
    )


def lane(folder: Path, lane_id: str, seconds: float = 2.0, frames: int | None = None) -> commands.MixLane:
    path = folder / f"{lane_id}.wav"
    write_lane(path, ramp(round(seconds * 8000) if frames is None else frames))
    return mix_lane(path, lane_id=lane_id, grew=((T0, T0 + seconds),))


def long_lane(folder: Path, lane_id: str, seconds: float) -> commands.MixLane:
    path = folder / f"{lane_id}.wav"
    path.write_bytes(wav.header(8000, round(seconds * 8000)))
    os.truncate(path, 44 + 2 * round(seconds * 8000))
    return mix_lane(path, lane_id=lane_id, grew=((T0, T0 + seconds),))


async def test_lanes_become_one_file_and_are_left_alone(desk: Desk, tmp_path: Path):
    first, second = lane(tmp_path, "a"), lane(tmp_path, "b")
    target = tmp_path / "2026" / "11" / "mix.wav"
    answer = await desk.mixed(command(target, first, second))
    assert (answer.error, answer.duration_ms, answer.size) == ("", 2000, 44 + 32000)
    assert answer.audio == {"a": 2000, "b": 2000}
    assert read_samples(target).tolist() == (ramp(16000) * 2).tolist()
    assert len(read_samples(Path(first.path))) == 16000
    assert target.stat().st_size == answer.size


async def test_doing_a_job_again_makes_the_same_file(desk: Desk, tmp_path: Path):
    job = command(tmp_path / "mix.wav", lane(tmp_path, "a"))
    first = await desk.mixed(job)
    before = (tmp_path / "mix.wav").read_bytes()
    again = await desk.mixed(job)
    assert (again.duration_ms, again.size, again.audio) == (first.duration_ms, first.size, first.audio)
    assert (tmp_path / "mix.wav").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.wav", "mix.wav"]


@pytest.mark.parametrize("seen", [True, False])
async def test_a_disk_that_is_away_is_waited_for_only_if_there_ever_was_a_file(
    desk: Desk, tmp_path: Path, seen: bool
):
    away = mix_lane(tmp_path / "away" / "b.wav", lane_id="b", grew=((T0, T0 + 1),))
    job = command(tmp_path / "mix.wav", replace(away, seen=seen), lane(tmp_path, "a"))
    answer = await desk.mixed(replace(job, patient=True))
    assert answer.again is seen
    assert answer.duration_ms == (0 if seen else 2000)


async def test_answers_come_in_the_order_of_the_jobs(desk: Desk, tmp_path: Path):
    voice = lane(tmp_path, "a")
    for number in range(20):
        desk.archive.mix(command(tmp_path / f"{number}.wav", voice, recording_id=str(number)))
    await eventually(lambda: len(desk.answers) == 20)
    assert [answer.recording_id for answer in desk.answers] == [str(number) for number in range(20)]


async def test_a_lane_that_is_missing_empty_or_foreign_is_silent_and_told_so(desk: Desk, tmp_path: Path):
    gone = mix_lane(tmp_path / "gone.wav", lane_id="gone", grew=((T0, T0 + 2),))
    empty = lane(tmp_path, "empty", frames=0)
    foreign = mix_lane(tmp_path / "foreign.wav", lane_id="foreign", grew=((T0, T0 + 2),))
    (tmp_path / "foreign.wav").write_bytes(b"not a sound")
    answer = await desk.mixed(command(tmp_path / "mix.wav", gone, empty, foreign, lane(tmp_path, "a")))
    assert (answer.error, answer.duration_ms) == ("", 2000)
    assert answer.audio == {"gone": 0, "empty": 0, "foreign": 0, "a": 2000}
    assert read_samples(tmp_path / "mix.wav").tolist() == ramp(16000).tolist()


async def test_a_recording_with_no_readable_lane_is_an_error(desk: Desk, tmp_path: Path):
    gone = mix_lane(tmp_path / "gone.wav", grew=((T0, T0 + 2),))
    answer = await desk.mixed(command(tmp_path / "mix.wav", gone))
    assert answer.error == (
        f"No lane of {tmp_path}/mix.wav can be read: "
        f"{tmp_path}/gone.wav cannot be opened: No such file or directory"
    )
    assert not (tmp_path / "mix.wav").exists()


async def test_no_time_line_makes_no_file(desk: Desk, tmp_path: Path):
    answer = await desk.mixed(command(tmp_path / "mix.wav", lane(tmp_path, "a"), seconds=0))
    assert (answer.error, answer.duration_ms, answer.size) == ("", 0, 0)
    assert answer.audio == {"a": 2000}
    assert not (tmp_path / "mix.wav").exists()


async def test_a_lane_cut_short_by_a_kill_is_mixed_as_far_as_it_goes(desk: Desk, tmp_path: Path):
    path = write_lane(tmp_path / "a.wav", ramp(12000), length=0)
    answer = await desk.mixed(command(tmp_path / "mix.wav", mix_lane(path, grew=((T0, T0 + 2),))))
    assert (answer.error, answer.audio) == ("", {"lane": 1500})
    assert read_samples(tmp_path / "mix.wav").tolist() == [*ramp(12000), *[0] * 4000]


async def test_a_lane_that_asterisk_is_just_closing_is_waited_for(desk: Desk, tmp_path: Path):
    path = write_lane(tmp_path / "a.wav", ramp(0), length=0)
    now = time.time()
    job = commands.Mix(
        recording_id="r1",
        path=str(tmp_path / "mix.wav"),
        timeline=stretches((now - 1, now)),
        lanes=(mix_lane(path, grew=((now - 1, now),)),),
    )
    # The worker has started when it answers; what is closed after that is closed while it waits.
    await desk.mixed(command(tmp_path / "warm.wav", lane(tmp_path, "b")))
    desk.archive.mix(job)
    await asyncio.sleep(0.1)
    write_lane(path, ramp(8000))
    await eventually(lambda: len(desk.answers) == 2)
    assert desk.answers[-1].audio == {"lane": 1000}


async def test_a_worker_killed_in_the_middle_of_a_job_is_replaced_and_the_job_finished(
    desk: Desk, tmp_path: Path
):
    job = command(tmp_path / "mix.wav", long_lane(tmp_path, "a", 2 * HOUR), seconds=2 * HOUR)
    desk.archive.mix(job)
    await eventually((tmp_path / "mix.wav.part").exists)
    first = desk.archive.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: desk.answers)
    assert desk.archive.pid not in (None, first)
    assert (desk.answers[0].error, desk.answers[0].duration_ms) == ("", 7_200_000)
    assert sorted(os.listdir(tmp_path)) == ["a.wav", "mix.wav"]
    assert len(desk.answers) == 1


async def test_a_worker_killed_between_jobs_is_replaced(desk: Desk, tmp_path: Path):
    job = command(tmp_path / "mix.wav", lane(tmp_path, "a"))
    await desk.mixed(job)
    assert desk.archive.pid is not None
    os.kill(desk.archive.pid, signal.SIGKILL)
    assert (await desk.mixed(job)).error == ""


BROKEN = {
    "ends at once": (("false",), "died at this job"),
    "is not there": (("/nonexistent/worker",), "cannot be started: No such file"),
    "answers nonsense": (("yes",), "answer cannot be read"),
    "says nothing": (("sleep", "60"), "gave no answer in 0.3 s"),
}


@pytest.mark.parametrize(("worker", "reason"), BROKEN.values(), ids=BROKEN)
async def test_a_job_that_fails_three_times_is_answered_with_the_reason(
    tmp_path: Path, worker: tuple[str, ...], reason: str
):
    desk = Desk(worker, job_seconds=0.3)
    await desk.archive.start()
    try:
        voice = lane(tmp_path, "a")
        answer = await desk.mixed(command(tmp_path / "mix.wav", voice))
        assert "could not be mixed in 3 tries" in answer.error
        assert reason in answer.error
        assert len(read_samples(Path(voice.path))) == 16000
    finally:
        await desk.archive.close(grace=0)


async def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(
    desk: Desk, tmp_path: Path, small_disk: Path
):
    (small_disk / "filler").write_bytes(b"x" * 50_000)
    voice = lane(tmp_path, "a", seconds=10)
    answer = await desk.mixed(command(small_disk / "mix.wav", voice, seconds=10))
    assert answer.error == f"{small_disk}/mix.wav cannot be written: No space left on device"
    assert os.listdir(small_disk) == ["filler"]
    (small_disk / "filler").unlink()
    assert (await desk.mixed(command(small_disk / "mix.wav", voice, seconds=2))).error == ""


async def test_closing_lets_queued_jobs_finish_and_ends_the_worker(tmp_path: Path):
    desk = Desk()
    await desk.archive.start()
    voice = lane(tmp_path, "a")
    for number in range(5):
        desk.archive.mix(command(tmp_path / f"{number}.wav", voice))
    await eventually(lambda: desk.archive.pid is not None)
    pid = desk.archive.pid
    await desk.archive.close(grace=DEADLINE_SECONDS)
    assert len(desk.answers) == 5
    assert pid is not None
    await eventually(lambda: not is_alive(pid))


DAEMON = """
import asyncio, time
from recorderd.archive import archive

async def main():
    mixer = archive.Archive(lambda event: None, time.time)
    await mixer.start()
    while mixer.pid is None:
        await asyncio.sleep(0.01)
    print(mixer.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_the_worker_dies_with_a_daemon_that_was_killed():
    daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", DAEMON, stdout=subprocess.PIPE)
    try:
        assert daemon.stdout is not None
        worker = int(await daemon.stdout.readline())
        assert is_alive(worker)
    finally:
        daemon.kill()
        await daemon.wait()
    await eventually(lambda: not is_alive(worker))


async def test_a_worker_gives_way_to_calls(desk: Desk):
    await eventually(lambda: desk.archive.pid is not None)
    pid = desk.archive.pid
    assert pid is not None
    await eventually(lambda: os.getpriority(os.PRIO_PROCESS, pid) > 0)


# VmHWM and not ru_maxrss, which a child inherits from whoever forked it.
MEASURED = """
import pathlib, re, sys
from recorderd.archive import jobs, worker

print(jobs.dump_mixed(worker.do(jobs.load_mix(sys.stdin.buffer.read()))).decode(), end="")
print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""


async def test_a_call_of_two_hours_is_mixed_in_little_memory(tmp_path: Path):
    lanes = [long_lane(tmp_path, f"lane{number}", 2 * HOUR) for number in range(3)]
    job = command(tmp_path / "mix.wav", *lanes, seconds=2 * HOUR)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", MEASURED],
        input=jobs.dump_mix(job),
        capture_output=True,
        check=True,
    )
    answer, kilobytes = done.stdout.splitlines()
    assert jobs.load_mixed(answer).duration_ms == 7_200_000
    assert int(kilobytes) < 100_000


texts = st.text(st.characters(codec=None), max_size=20)
times = st.floats(0, 4e9)
spans = st.lists(st.builds(commands.Stretch, start=times, end=times), max_size=3).map(tuple)
lanes_of = st.builds(
    commands.MixLane, lane_id=texts, path=texts, outside=st.booleans(), stretches=spans, keep=spans
)


@given(
    st.builds(
        commands.Mix,
        recording_id=texts, path=texts, timeline=spans, lanes=st.lists(lanes_of, max_size=3).map(tuple),
    )
)  # fmt: skip
def test_a_job_survives_its_line(job: commands.Mix):
    line = jobs.dump_mix(job)
    assert line.count(b"\n") == 1
    assert jobs.load_mix(line) == job


def test_an_answer_survives_its_line():
    answer = events.Mixed(at=T0, recording_id="r", duration_ms=1, size=2, audio={"a": 3}, error="é")
    assert jobs.load_mixed(jobs.dump_mixed(answer)) == answer


@pytest.mark.parametrize("line", [b"", b"\n", b"[]", b"{}", b"{\xff", b'{"at": "x"}', b"null", b"[" * 9999])
@pytest.mark.parametrize("load", [jobs.load_mix, jobs.load_mixed])
def test_a_foreign_line_is_an_audio_error(load: Callable[[bytes], object], line: bytes):
    with pytest.raises(AudioError, match="cannot be read"):
        load(line)
