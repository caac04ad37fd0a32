"""The door between files and samples, and how files come to be."""

from __future__ import annotations

import os
import stat
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.archive import files, wav
from recorderd.errors import AudioError
from tests.archive.sounds import ramp, read_samples, write_lane


@pytest.mark.parametrize("length", [None, 0, 2, 999_999, 0xFFFFFFFF])
def test_samples_run_to_the_end_of_the_file_whatever_the_header_says(tmp_path: Path, length: int | None):
    path = write_lane(tmp_path / "lane.wav", ramp(12345), length=length)
    with wav.reading(path) as sound:
        assert (sound.rate, sound.frames, sound.closed) == (8000, 12345, length is None)
        assert np.array_equal(sound.read(0, 20000), ramp(12345))
        assert np.array_equal(sound.read(12000, 100), ramp(12345)[12000:12100])


def test_an_odd_last_byte_is_dropped(tmp_path: Path):
    path = write_lane(tmp_path / "lane.wav", ramp(100), length=0)
    path.write_bytes(path.read_bytes()[:-1])
    with wav.reading(path) as sound:
        assert sound.frames == 99
        assert len(sound.read(0, 1000)) == 99


def test_an_armed_file_of_44_bytes_is_an_empty_sound(tmp_path: Path):
    with wav.reading(write_lane(tmp_path / "lane.wav", ramp(0), length=0)) as sound:
        assert (sound.frames, len(sound.read(0, 10))) == (0, 0)


def test_a_file_may_grow_or_shrink_while_it_is_read(tmp_path: Path):
    path = write_lane(tmp_path / "lane.wav", ramp(1000), length=0)
    with wav.reading(path) as sound:
        with path.open("ab") as growing:
            growing.write(b"\x01\x02" * 500)
        assert len(sound.read(0, 5000)) == 1000
        os.truncate(path, 44 + 301)
        assert len(sound.read(0, 1000)) == 150


def test_chunks_before_the_samples_are_passed_over(tmp_path: Path):
    plain = wav.header(16000, 3)
    path = tmp_path / "lane.wav"
    path.write_bytes(plain[:12] + b"LIST\x03\0\0\0abc\0" + plain[12:] + ramp(3).tobytes())
    with wav.reading(path) as sound:
        assert (sound.rate, list(sound.read(0, 9))) == (16000, [1, 2, 3])


FOREIGN = {
    "empty": (b"", "is empty"),
    "torn header": (wav.header(8000, 9)[:30], "without a readable header"),
    "no samples chunk": (wav.header(8000, 9)[:36], "without a readable header"),
    "samples before format": (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "without a readable header"),
    "chunks for ever": (b"RIFF\0\0\0\0WAVE" + b"LIST\0\0\0\0" * 99, "without a readable header"),
    "text": (b"#!/bin/sh\necho hello\n" * 9, "is not a WAV"),
    "gsm": (wav.header(8000, 9).replace(struct.pack("<HH", 1, 1), struct.pack("<HH", 0x31, 1)), "not 16-bit"),
    "stereo": (wav.header(8000, 9).replace(struct.pack("<HH", 1, 1), struct.pack("<HH", 1, 2)), "not 16-bit"),
    "rate 0": (wav.header(0, 9), "not 16-bit"),
}


@pytest.mark.parametrize(("data", "reason"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_refused_in_one_sentence(tmp_path: Path, data: bytes, reason: str):
    path = tmp_path / "lane.wav"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=reason) as caught, wav.reading(path):
        pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(data=st.binary(max_size=200), cut=st.integers(0, 44))
def test_any_bytes_are_either_a_sound_or_an_audio_error(tmp_path_factory, data: bytes, cut: int):
    path = tmp_path_factory.mktemp("any") / "lane.wav"
    path.write_bytes(wav.header(8000, 9)[:cut] + data)
    try:
        with wav.reading(path) as sound:
            assert len(sound.read(0, 10**9)) == sound.frames
    except AudioError:
        pass


def test_what_is_no_file_at_all_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo.wav")
    for path, reason in [
        (tmp_path / "none.wav", "No such file"),
        (tmp_path, "is not a file"),
        (tmp_path / "fifo.wav", "is not a file"),
        (tmp_path / "a\0b.wav", "null"),
    ]:
        with pytest.raises(AudioError, match=reason), wav.reading(path):
            pass


def test_a_written_file_is_a_wav_for_any_reader(tmp_path: Path):
    path = tmp_path / "mix.wav"
    with wav.writing(path, 8000) as writer:
        writer.write(ramp(5))
        writer.write(ramp(7))
        assert not path.exists(), "the name comes last"
    with wave.open(str(path)) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getnframes()) == (8000, 1, 12)
    assert os.listdir(tmp_path) == ["mix.wav"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = write_lane(tmp_path / "mix.wav", ramp(9))
    with pytest.raises(AttributeError), wav.writing(path, 8000) as writer:
        writer.write(None)
    assert list(read_samples(path)) == list(ramp(9))
    assert os.listdir(tmp_path) == ["mix.wav"]


def test_a_leftover_of_a_killed_writer_is_written_over(tmp_path: Path):
    (tmp_path / "mix.wav.part").write_bytes(b"x" * 99_999)
    with wav.writing(tmp_path / "mix.wav", 8000) as writer:
        writer.write(ramp(4))
    assert len(read_samples(tmp_path / "mix.wav")) == 4
    assert os.listdir(tmp_path) == ["mix.wav"]


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path):
    (tmp_path / "plain").write_text("")
    for path, reason in [
        (tmp_path / "none" / "mix.wav", "No such file"),
        (tmp_path / "plain" / "mix.wav", "Not a directory"),
        (tmp_path / ("x" * 300 + ".wav"), "too long"),
    ]:
        with pytest.raises(AudioError, match=f"cannot be written: .*{reason}"), wav.writing(path, 8000):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files to other groups needs root")
def test_a_replaced_file_keeps_its_group(tmp_path: Path):
    target = tmp_path / "copy.wav"
    for group in (4242, None):
        with wav.writing(target, 8000, group=group) as writer:
            writer.write(ramp(1))
        assert target.stat().st_gid == 4242


def test_folders_on_the_way_are_setgid_and_group_writable_under_any_umask(tmp_path: Path):
    before = os.umask(0o077)
    try:
        files.make_folder(tmp_path / "2026" / "11" / "23")
        files.make_folder(tmp_path / "2026" / "11" / "23")
    finally:
        os.umask(before)
    for folder in (tmp_path / "2026", tmp_path / "2026" / "11", tmp_path / "2026" / "11" / "23"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o2770


@pytest.mark.skipif(os.geteuid() != 0, reason="giving folders to other groups needs root")
def test_a_made_folder_and_its_files_belong_to_the_parents_group(tmp_path: Path):
    spool = tmp_path / "monitor"
    spool.mkdir(mode=0o755)
    os.chown(spool, -1, 4242)
    files.make_folder(spool / "2026" / "11")
    with wav.writing(spool / "2026" / "11" / "mix.wav", 8000):
        pass
    assert {path.stat().st_gid for path in spool.rglob("*")} == {4242}
    assert stat.S_IMODE(spool.stat().st_mode) == 0o755, "what was there is another's"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "plain").write_text("")
    with pytest.raises(AudioError, match=r"Not a directory|File exists"):
        files.make_folder(tmp_path / "plain" / "2026")
