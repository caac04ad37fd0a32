"""Another's file is measured by the worker, and only its forbidden end is ever cut off."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from recorderd.archive import jobs, wav, worker
from recorderd.core import commands
from recorderd.errors import AudioError
from tests.archive.conftest import eventually
from tests.archive.sounds import ramp, read_samples, write_lane
from tests.archive.test_archive import Desk, desk

__all__ = ["desk"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def measure(path: Path, cut_ms: int = 0) -> commands.Measure:
    return commands.Measure(recording_id="r1", path=str(path), cut_ms=cut_ms)


async def test_its_length_is_told_and_nothing_of_it_changes(desk: Desk, tmp_path: Path) -> None:
    path = write_lane(tmp_path / "x.wav", ramp(12_000))
    before = path.read_bytes(), path.stat()
    desk.archive.measure(measure(path))
    await eventually(lambda: desk.answers)
    (answer,) = desk.answers
    assert (answer.duration_ms, answer.size, answer.error, dict(answer.audio)) == (1500, 24_044, "", {})
    assert (path.read_bytes(), path.stat()) == before


async def test_a_forbidden_end_is_cut_off_to_the_millisecond(desk: Desk, tmp_path: Path) -> None:
    samples = ramp(12_000)
    path = write_lane(tmp_path / "x.wav", samples)
    desk.archive.measure(measure(path, cut_ms=250))
    await eventually(lambda: desk.answers)
    assert desk.answers[0].duration_ms == 1250
    assert np.array_equal(read_samples(path), samples[:10_000])
    with wav.reading(path) as sound:
        assert sound.closed
    assert names(tmp_path) == ["x.wav"]


def test_more_than_there_is_leaves_a_file_without_sound(tmp_path: Path) -> None:
    path = write_lane(tmp_path / "x.wav", ramp(800))
    assert worker.do(measure(path, cut_ms=5000)).duration_ms == 0
    assert path.stat().st_size == wav.HEADER_BYTES


def test_one_that_asterisk_did_not_close_is_measured_after_a_while(tmp_path: Path) -> None:
    path = write_lane(tmp_path / "x.wav", ramp(8_000), length=0)
    began = time.monotonic()
    assert worker.do(measure(path)).duration_ms == 1000
    assert 0.9 < time.monotonic() - began < 3


def test_what_cannot_be_measured_is_said_and_a_folder_that_is_away_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"no sound")
    told = [worker.do(measure(tmp_path / name)) for name in ("x.wav", "none.wav", "away/x.wav")]
    assert [bool(answer.error) for answer in told] == [True] * 3
    assert [answer.again for answer in told] == [False, False, True]


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b'{"measure": "/x"}', b'{"measure": "/x", "recording_id": "r"}']
)
def test_a_line_that_is_no_job_is_an_audio_error(line: bytes) -> None:
    with pytest.raises(AudioError):
        jobs.load(line)


def test_a_job_comes_back_from_its_line_as_it_was() -> None:
    job = commands.Measure(recording_id="r", path="/spool/\udcff.wav", cut_ms=65)
    assert jobs.load(jobs.dump(job)) == job
