"""What is kept is heard again: size, sides, length, and every way in which a source or a machine can fail."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from recorderd.archive import encode, meter, peaks, sources, wav
from recorderd.archive.formats import FORMATS, mono_of
from recorderd.core.retention import FORMATS as WORDS
from recorderd.core.rows import Recording, RecordingState
from recorderd.errors import AudioError
from tests.keeping.world import RATE, decoded, hears, tone, write_sound

HOUR_MS = 3_600_000
TEXTS = {
    "en-us": "Good morning, this is the order line, how can I help you today? I would like to know the number",
    "en-gb+f3": "Yes, hello, I ordered two chairs and a table last week, and they have not arrived as yet, sorry",
}


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """A minute of two people talking in turns, one on each side, with pauses as people make them."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    folder = tmp_path_factory.mktemp("speech")
    sides = []
    for voice, text in TEXTS.items():
        said, plain = folder / f"{voice}.wav", folder / f"{voice}.8k.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", said, text], check=True)
        subprocess.run(["ffmpeg", "-v", "error", "-i", said, "-ar", str(RATE), "-ac", "1", plain], check=True)
        with wav.reading(plain) as sound:
            once = sound.read(0, sound.frames)
        sides.append(np.resize(np.concatenate([once, np.zeros(RATE // 2, np.int16)]), 60 * RATE))
    turn = np.arange(60 * RATE) // (4 * RATE) % 2
    return np.stack([np.where(turn == 0, sides[0], 0), np.where(turn == 1, sides[1], 0)], axis=1)


def job(folder: Path, sound: np.ndarray, form: str = "opus", **more: object) -> encode.Job:
    """A job for this sound, which is put into a file first."""
    source = folder / "source.wav"
    write_sound(source, *(sound.T if sound.ndim == 2 else [sound]))
    channels = sound.shape[1] if sound.ndim == 2 else 1
    kept = folder / f"kept{FORMATS[form].suffix}"
    labels = ("0612345678", "101")[:channels]
    values = {"source": source, "channels": channels, "target": kept, "form": FORMATS[form], "labels": labels}
    return encode.Job(**{**values, **more})  # type: ignore[arg-type]


def two_sides(seconds: float = 3.0) -> np.ndarray:
    turn = np.arange(round(seconds * RATE)) // (RATE // 2) % 2
    return np.stack([tone(500, seconds) * (turn == 0), tone(1500, seconds) * (turn == 1)], axis=1)


# --- the promise -------------------------------------------------------------------------------------


def test_an_hour_of_two_parties_takes_at_most_nine_point_six_megabytes(
    speech: np.ndarray, tmp_path: Path
) -> None:
    done = encode.run(job(tmp_path, speech))
    assert done.size / done.duration_ms * HOUR_MS <= 9.6e6
    assert done.channels == 2


def test_the_parties_are_forty_decibels_apart_in_the_kept_file(speech: np.ndarray, tmp_path: Path) -> None:
    encode.run(job(tmp_path, speech))
    sound = decoded(tmp_path / "kept.opus")
    for side in (0, 1):
        # While one speaks, well inside his turn, how loud is the other side?
        turns = np.arange(len(sound)) // (4 * RATE) % 2 == side
        inside = turns & np.roll(turns, RATE // 2) & np.roll(turns, -RATE // 2)
        loud, leak = (np.sqrt(np.mean(sound[inside, channel] ** 2)) for channel in (side, 1 - side))
        assert 20 * np.log10(loud / max(leak, 1e-9)) >= 40


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_keeps_length_and_sides(form: str, tmp_path: Path) -> None:
    sound = two_sides()
    done = encode.run(job(tmp_path, sound if FORMATS[form].channels == 2 else sound.sum(axis=1), form))
    kept = decoded(tmp_path / f"kept{FORMATS[form].suffix}")
    assert done.duration_ms == 3000
    assert abs(len(kept) / RATE * 1000 - 3000) <= 100
    assert kept.shape[1] == FORMATS[form].channels
    for side in range(kept.shape[1]):
        ours, others = (500.0, 1500.0)[side], (1500.0, 500.0)[side]
        apart = hears(kept[:, side], ours) - hears(kept[:, side], others)
        assert apart > 25 if kept.shape[1] == 2 else abs(apart) < 6


def test_the_formats_are_those_that_can_be_written_in_the_configuration() -> None:
    assert tuple(FORMATS) == WORDS
    assert all(mono_of(form).channels == 1 for form in FORMATS.values())


@pytest.mark.parametrize(("rate", "at"), [(8000, 8000), (16000, 16000), (11025, 12000), (44100, 48000)])
def test_opus_is_encoded_at_the_sources_rate_or_the_next_it_knows(rate: int, at: int) -> None:
    assert FORMATS["opus"].rate(rate) == at


def test_the_same_source_makes_the_same_file_again(tmp_path: Path) -> None:
    first = encode.run(job(tmp_path, two_sides()))
    assert encode.run(job(tmp_path, two_sides())) == first
    assert hashlib.sha256((tmp_path / "kept.opus").read_bytes()).hexdigest() == first.sha256


def test_a_kept_file_belongs_to_the_spools_group_and_not_to_everybody(tmp_path: Path) -> None:
    encode.run(job(tmp_path, two_sides()))
    assert (tmp_path / "kept.opus").stat().st_mode & 0o777 == 0o640


# --- peaks and findings ------------------------------------------------------------------------------


def test_the_peaks_have_both_sides_and_their_names(tmp_path: Path) -> None:
    encode.run(job(tmp_path, two_sides()))
    told = peaks.read(tmp_path / "kept.opus")
    assert (told["duration_ms"], told["bucket_ms"]) == (3000, 20)
    left, right = told["lanes"]
    assert (left["label"], right["label"]) == ("0612345678", "101")
    assert len(left["peaks"]) == len(right["peaks"]) == 150
    assert max(left["peaks"][2:23]) > 20
    assert max(right["peaks"][2:23]) == 0
    json.dumps(told)


def test_long_recordings_have_no_more_peaks_than_a_screen_is_wide() -> None:
    frames = 3 * 3600 * RATE
    shape = peaks.Peaks(2, RATE, frames)
    for first in range(0, frames, 1 << 20):
        shape.feed(np.full((min(1 << 20, frames - first), 2), 12800, np.int16))
    sides = shape.sides()
    assert 1000 < len(sides[0]) <= 2000
    assert set(sides[1]) == {100}


@pytest.mark.parametrize("bytes_", [b"", b"{", b"[1]", b'{"version": 2}'])
def test_what_is_no_peaks_is_said_so(bytes_: bytes, tmp_path: Path) -> None:
    (tmp_path / "kept.opus.peaks").write_bytes(bytes_)
    with pytest.raises(AudioError):
        peaks.read(tmp_path / "kept.opus")


def silent() -> np.ndarray:
    return np.zeros((3 * RATE, 2), np.int16)


@pytest.mark.parametrize(
    ("sound", "findings"),
    [
        (two_sides(), ()),
        (silent(), ("silent",)),
        (two_sides() * np.array([1, 0]), ("silent: right",)),
        (np.where(np.abs(two_sides()) > 2000, 32767, 0) * np.array([1, 0]) + two_sides(), ("clipped: left",)),
        (silent()[: RATE], ()),
    ],
    ids=["well", "silent", "one-sided", "clipped", "too short to say"],
)  # fmt: skip
def test_what_is_wrong_with_a_sound_is_found(sound: np.ndarray, findings: tuple[str, ...]) -> None:
    found = meter.Meter(2, RATE)
    for first in range(0, len(sound), 777):
        found.feed(np.clip(sound[first : first + 777], -32768, 32767).astype(np.int16))
    assert tuple(found.findings()) == findings


def measured(sound: np.ndarray) -> meter.Meter:
    found = meter.Meter(2, RATE)
    found.feed(sound.astype(np.int16))
    return found


@pytest.mark.parametrize(
    ("copy", "why"),
    [
        (two_sides(), ""),
        (two_sides()[:-800], ""),
        (two_sides()[:-1000], "it is 125 ms shorter than its source"),
        (two_sides()[:, ::-1], "its left is another sound than the source's"),
        (two_sides().mean(axis=1, keepdims=True).repeat(2, axis=1), "its left "),
        (two_sides() * np.array([1, 0]), "its right has -120 dBFS where the source has"),
    ],
    ids=["the same", "100 ms off", "too short", "sides exchanged", "both in one", "one missing"],
)
def test_an_encoding_that_is_not_its_source_is_found(copy: np.ndarray, why: str) -> None:
    said = meter.unlike(measured(two_sides()), measured(copy), most_ms=100, most_db=6)
    assert said.startswith(why)
    assert bool(said) is bool(why)


# --- what fails --------------------------------------------------------------------------------------


def test_a_source_whose_writer_was_killed_is_encoded_whole_and_told_of(tmp_path: Path) -> None:
    wanted = job(tmp_path, two_sides())
    raw = bytearray(wanted.source.read_bytes())
    raw[4:8] = raw[40:44] = bytes(4)
    wanted.source.write_bytes(raw)
    done = encode.run(wanted)
    assert (done.duration_ms, done.findings) == (3000, ("unclosed: its writer was killed",))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a sound at all", wav.header(RATE, 0, 2)])
def test_a_broken_source_is_an_audio_error_and_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    wanted = job(tmp_path, two_sides())
    wanted.source.write_bytes(content)
    with pytest.raises(AudioError) as error:
        encode.run(wanted)
    assert not isinstance(error.value, encode.MachineFault)
    assert os.listdir(tmp_path) == ["source.wav"]


def test_without_ffmpeg_it_is_the_machines_fault_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(encode.MachineFault, match="no-such-ffmpeg cannot be run: No such file") as error:
        encode.run(job(tmp_path, two_sides(), ffmpeg="/no-such-ffmpeg"))
    assert error.value.kind == "encoder"
    assert os.listdir(tmp_path) == ["source.wav"]


@pytest.mark.parametrize("form", ["opus", "wav", "flac"])
def test_on_a_full_disk_it_is_the_machines_fault_and_nothing_is_left(
    form: str, small_disk: Path, tmp_path: Path
) -> None:
    (small_disk / "filler").write_bytes(bytes(62 << 10))
    wanted = job(tmp_path, two_sides(30), form, target=small_disk / f"kept{FORMATS[form].suffix}")
    with pytest.raises(encode.MachineFault, match="No space left on device") as error:
        encode.run(wanted)
    assert error.value.kind == "disk"
    assert os.listdir(small_disk) == ["filler"]


def test_an_ffmpeg_that_fails_says_why_and_one_that_hangs_is_ended(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\ncat >/dev/null\necho 'Unknown encoder libopus' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(AudioError, match="ffmpeg failed: Unknown encoder libopus"):
        encode.run(job(tmp_path, two_sides(), ffmpeg=str(program)))
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    hung = job(tmp_path, two_sides(), ffmpeg=str(program))
    began = time.monotonic()
    encode._LEAST_SECONDS, before = 0.5, encode._LEAST_SECONDS
    try:
        with pytest.raises(AudioError, match="took more than"):
            encode.run(hung)
    finally:
        encode._LEAST_SECONDS = before
    assert time.monotonic() - began < 30
    assert sorted(os.listdir(tmp_path)) == ["ffmpeg", "source.wav"]


def test_one_that_makes_something_else_is_found_out(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    # It swaps the sides when it encodes: the last argument is the file, the codec is among the others.
    program.write_text(
        '#!/bin/sh\ncase "$*" in *libopus*) for last; do :; done\n'
        'exec ffmpeg -v error -f s16le -ar 8000 -ac 2 -i pipe:0 -af "pan=stereo|c0=c1|c1=c0" '
        '-c:a libopus -b:a 20k -y -f ogg "$last";; esac\nexec ffmpeg "$@"\n'
    )
    program.chmod(0o755)
    with pytest.raises(AudioError, match=r"kept\.opus would be wrong: its left"):
        encode.run(job(tmp_path, two_sides(), ffmpeg=str(program)))
    assert sorted(os.listdir(tmp_path)) == ["ffmpeg", "source.wav"]


def test_a_job_that_is_to_stop_stops(tmp_path: Path) -> None:
    wanted = job(tmp_path, two_sides())
    wanted.stopping.set()
    with pytest.raises(encode.MachineFault, match="stopped"):
        encode.run(wanted)
    assert os.listdir(tmp_path) == ["source.wav"]


# --- which source ------------------------------------------------------------------------------------


def recording(folder: Path, **changed: object) -> Recording:
    values: dict[str, object] = {
        "id": "r1", "conversation_id": "c1", "segment": 1, "folder": "d", "name": "x.wav",
        "state": RecordingState.CLOSED, "started_at": 0.0, "ended_at": 3.0, "duration_ms": 3000,
        "stereo": str(folder / "x.stereo.wav"),
    }  # fmt: skip
    return Recording(**{**values, **changed})  # type: ignore[arg-type]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    write_sound(tmp_path / "d" / "x.wav", two_sides().sum(axis=1))
    write_sound(tmp_path / "x.stereo.wav", *two_sides().T)
    return tmp_path


def test_stereo_is_made_from_the_stereo_file_and_mono_from_the_mix(spool: Path) -> None:
    assert sources.choose(recording(spool), [], spool, "opus").path == spool / "x.stereo.wav"
    assert sources.choose(recording(spool), [], spool, "opus-mono").path == spool / "d" / "x.wav"


def test_without_a_stereo_file_the_mix_is_kept_in_one_channel_and_that_is_told(spool: Path) -> None:
    found = sources.choose(recording(spool, stereo=""), [], spool, "flac")
    assert (found.form.name, found.findings) == ("flac-mono", ("not stereo: none was made",))
    (spool / "x.stereo.wav").write_bytes(b"x")
    found = sources.choose(recording(spool), [], spool, "opus")
    assert (found.form.name, found.path.name) == ("opus-mono", "x.wav")
    assert found.findings[0].startswith("not stereo: ")


def test_a_mix_that_is_not_as_long_as_the_mixer_said_is_no_source(spool: Path) -> None:
    with pytest.raises(AudioError, match=r"x\.wav lasts 3000 ms and not 9000"):
        sources.choose(recording(spool, duration_ms=9000, stereo=""), [], spool, "opus")
