"""The archive's keys: what may be written, and what is said of what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorderd.config import Config
from recorderd.config.load import parse
from recorderd.core.retention import FOREVER, Way
from recorderd.errors import ConfigError

LOGIN = "asterisk: {username: u, secret: s}\n"
DAY = 86_400.0


def read(archive: str) -> Config:
    return parse(f"{LOGIN}archive: {archive}\n", Path("f"), {})


def test_by_default_nothing_is_archived_and_nothing_expires() -> None:
    archive = parse(LOGIN, Path("f"), {}).archive
    assert (archive.enabled, archive.format, archive.bitrate) == (False, "opus", 20)
    assert (archive.minimum, archive.maximum, archive.rules) == (0.0, FOREVER, ())
    assert (archive.disk.low_water, archive.disk.high_water, archive.disk.when_full) == (85, 95, "alarm")


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("{bitrate: 18}", "bitrate", 18),
        ("{bitrate: 32k}", "bitrate", 32),
        ("{maximum: 10y}", "maximum", 3652.5 * DAY),
        ("{maximum: 90d}", "maximum", 90 * DAY),
        ("{minimum: 12h}", "minimum", DAY / 2),
        ("{delay: 30s}", "delay", 30.0),
        ("{warn: 8w}", "warn", 56 * DAY),
        ("{format: flac-mono}", "format", "flac-mono"),
    ],
)
def test_a_key_is_read(written: str, key: str, value: object) -> None:
    assert getattr(read(written).archive, key) == value


def test_a_rule_is_read_and_says_only_what_it_says() -> None:
    [rule] = read(
        "{rules: [{name: orders, when: {extension: [101, _2XX], direction: inbound, tag: x}, maximum: 1y}]}"
    ).archive.rules
    assert (rule.name, rule.format, rule.minimum, rule.maximum) == ("orders", "", None, 365.25 * DAY)
    assert (rule.when.direction, rule.when.tag) == (Way.INBOUND, "x")
    assert rule.when.extension is not None
    assert rule.when.extension.holds(["219"])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{bitrate: 16k}", "with less, Opus silently puts both parties into one channel"),
        ("{bitrate: x}", "is not from 18 to 256"),
        ("{format: opsu}", "is not one of opus, opus-mono, .*did you mean 'opus'"),
        ("{maximum: 3 months}", "is not an age such as"),
        ("{delay: 5d}", "is not a time such as"),
        ("{disk: {high_water: 101%}}", "is not a share"),
        ("{disk: {when_full: delete}}", "is not one of alarm, stop, expire"),
        ("{named: yes}", "is not one of auto, keep, remove"),
        ("{rules: {name: x}}", "is a list of rules"),
        ("{rules: [x]}", "a rule is a mapping with name, when"),
        ("{rules: [{format: opus}]}", "a rule needs a name"),
        ("{rules: [{name: x, max: 1d}]}", "unknown key 'max'"),
        ("{rules: [{name: x, when: {extention: 1}}]}", "unknown key 'extention' .did you mean 'extension'"),
        ("{rules: [{name: x, when: {direction: up}}]}", "'up' is not one of inbound, outbound, internal"),
        ("{rules: [{name: x, when: {extension: _ABC}}]}", "is not a dialplan pattern"),
        ("{rules: [{name: x, when: {mode: sometimes}}]}", "is not one of always"),
        ("{rules: [{name: x, when: 101}]}", "is a mapping of rule, mode"),
        ("{rules: [{name: x, format: [a]}]}", "is not one of opus"),
        ("{rules: [{name: x, minimum: 2d, maximum: 1d}]}", "minimum: is more than maximum"),
    ],
)
def test_what_may_not_be_written_is_told_in_a_sentence(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(written)
