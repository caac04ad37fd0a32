"""The formats in which audio is kept: what ffmpeg is asked for, and what an hour of it takes.

Owns one literal table. Must not know a file. To add a format, add a line; tests encode, decode and listen to
every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to keep a recording.

    `options` go to ffmpeg behind the input, `{kbits}` filled in; none: we write WAV ourselves. `rates` are
    those it can hold, none: any. `check_rate` is what a decoder gives out, 0: the rate that went in.
    `bytes_per_hour` was measured on two-voice synthetic speech at 8 kHz; see docs/archive.md.
    """

    name: str
    suffix: str
    channels: int
    media_type: str
    bytes_per_hour: int
    muxer: str = ""
    options: tuple[str, ...] = ()
    rates: tuple[int, ...] = ()
    check_rate: int = 0

    def rate(self, source: int) -> int:
        """The rate to encode at: the source's, or the next that it can hold."""
        return next((rate for rate in self.rates if rate >= source), self.rates[-1]) if self.rates else source


def _both(
    name: str,
    stereo: int,
    mono: int,
    options: tuple[str, ...] = (),
    kbits: tuple[str, str] = ("", ""),
    **common: Any,
) -> dict[str, Format]:
    """A format and its form in one channel, `name-mono`: bytes per hour and kbit/s of the two."""
    made = [
        Format(
            name=name + suffix,
            channels=channels,
            bytes_per_hour=size,
            options=tuple(word.replace("KBITS", rate) for word in options),
            **common,
        )
        for suffix, channels, size, rate in (("", 2, stereo, kbits[0]), ("-mono", 1, mono, kbits[1]))
    ]
    return {form.name: form for form in made}


_OPUS = ("-c:a", "libopus", "-b:a", "KBITSk", "-application", "voip", "-frame_duration", "20")
# Without joint stereo: it would leak one party into the other's channel. 16 kbit/s for each.
_MP3 = ("-c:a", "libmp3lame", "-b:a", "KBITSk", "-joint_stereo", "0")

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        **_both(
            "opus", 8_800_000, 5_300_000, _OPUS, ("{kbits}", "12"),
            suffix=".opus", media_type="audio/ogg", muxer="ogg", rates=_OPUS_RATES, check_rate=48_000,
        ),
        **_both(
            "mp3", 14_400_000, 7_200_000, _MP3, ("32", "16"),
            suffix=".mp3", media_type="audio/mpeg", muxer="mp3", rates=_MP3_RATES,
        ),
        **_both(
            "flac", 51_300_000, 33_300_000, ("-c:a", "flac"),
            suffix=".flac", media_type="audio/flac", muxer="flac",
        ),
        **_both("wav", 115_200_000, 57_600_000, suffix=".wav", media_type="audio/wav"),
    }
)  # fmt: skip


def mono_of(form: Format) -> Format:
    """The same in one channel, for a recording whose parties were not kept apart."""
    return FORMATS[form.name if form.channels == 1 else f"{form.name}-mono"]
