"""The mixer's two-channel file: who is on which side, cut by the same rules as the mix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recorderd.archive import jobs, mixdown, wav, worker
from recorderd.core import commands, recordings, sides
from recorderd.core.company import Company
from recorderd.core.recordings import LiveLane, LiveRecording
from recorderd.core.rows import LaneState
from tests.archive.sounds import mix_lane, ramp, read_samples, stretches, write_lane
from tests.core.test_keeping import ANNA, BORIS, OUTSIDE, interval

T0 = 1_795_000_000.0


def run(command: commands.Mix) -> mixdown.Mixture:
    return mixdown.run(command, now=lambda: T0 + 1000, sleep=lambda _: None)


def read_stereo(path: Path) -> np.ndarray:
    with wav.reading(path, 2) as sound:
        assert sound.closed
        return sound.read(0, sound.frames)


def mix(folder: Path, *lanes: commands.MixLane, stereo: Path | None = None) -> commands.Mix:
    return commands.Mix(
        recording_id="r1",
        path=str(folder / "mix.wav"),
        timeline=stretches((T0, T0 + 2)),
        lanes=lanes,
        stereo=str(stereo or folder / "d" / "r1.stereo.wav"),
    )


def lane(folder: Path, name: str, samples: np.ndarray, *, left: bool, **more: object) -> commands.MixLane:
    path = write_lane(folder / f"{name}.wav", samples)
    made = mix_lane(path, lane_id=name, grew=((T0, T0 + 2),), **more)  # type: ignore[arg-type]
    return replace(made, left=left)


def test_left_is_left_and_right_is_everyone_else(tmp_path: Path) -> None:
    one, two, three = ramp(16000), (ramp(16000) // 3), (ramp(16000) // 7)
    done = run(
        mix(
            tmp_path,
            lane(tmp_path, "a", two, left=False),
            lane(tmp_path, "b", one, left=True),
            lane(tmp_path, "c", three, left=False),
        )
    )
    assert (done.stereo, done.trouble) == (str(tmp_path / "d" / "r1.stereo.wav"), "")
    both = read_stereo(Path(done.stereo))
    assert both[:, 0].tolist() == one.tolist()
    assert both[:, 1].tolist() == (two + three).tolist()
    assert read_samples(tmp_path / "mix.wav").tolist() == (one + two + three).tolist()


def test_what_is_cut_from_the_mix_is_cut_from_both_sides(tmp_path: Path) -> None:
    keep = ((T0, T0 + 1),)
    lanes = [lane(tmp_path, n, ramp(16000), left=n == "a", keep=keep) for n in ("a", "b")]
    run(mix(tmp_path, *lanes))
    mixed, both = read_samples(tmp_path / "mix.wav"), read_stereo(tmp_path / "d" / "r1.stereo.wav")
    assert len(both) == len(mixed) == 16000
    for side in (0, 1):
        assert (both[:, side] != 0).tolist() == (mixed != 0).tolist()
    assert not both[8000:].any()


def test_where_nobody_wants_it_there_is_none(tmp_path: Path) -> None:
    command = mix(tmp_path, lane(tmp_path, "a", ramp(16000), left=True))
    done = run(
        commands.Mix(**{n: getattr(command, n) for n in ("recording_id", "path", "timeline", "lanes")})
    )
    assert done.stereo == ""
    assert not (tmp_path / "d").exists()


def test_one_that_cannot_be_written_is_no_reason_to_have_no_mix(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_bytes(b"")
    command = mix(
        tmp_path, lane(tmp_path, "a", ramp(16000), left=True), stereo=tmp_path / "blocked" / "x.wav"
    )
    answer = worker.do(command)
    assert (answer.error, answer.stereo, answer.duration_ms) == ("", "", 2000)
    assert len(read_samples(tmp_path / "mix.wav")) == 16000


def test_the_lines_between_daemon_and_worker_carry_it(tmp_path: Path) -> None:
    command = mix(tmp_path, lane(tmp_path, "a", ramp(16000), left=True))
    assert jobs.load_mix(jobs.dump_mix(command)) == command
    answer = worker.do(command)
    assert answer.stereo == command.stereo
    assert jobs.load_mixed(jobs.dump_mixed(answer)) == answer


@pytest.mark.parametrize("folder", ["", "/lanes"])
def test_the_core_says_where_it_goes_and_who_is_left(folder: str) -> None:
    recording = LiveRecording("r1", "c1", 1, "2026/11/18", "x.wav", "", T0)
    recording.intervals = [interval(OUTSIDE, ANNA), interval(OUTSIDE, BORIS, at=T0 + 60)]
    lanes = [
        LiveLane(f"l-{who}", who, "x", "x", f"/lanes/{who}.wav", who == "o", LaneState.CLOSED)
        for who in ("o", "a", "b")
    ]
    command = recordings.mix(recording, lanes, Company(), "/spool", folder)
    assert {each.lane_id for each in command.lanes if each.left} == {"l-o"}
    assert command.stereo == (f"{folder}/2026/11/18/r1.stereo.wav" if folder else "")
    assert sides.labels(recording.intervals) == ("0612345678", "101, 102")
