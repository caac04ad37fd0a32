"""Every command for Asterisk, and the action it becomes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.ami import actions, wire
from recorderd.core import commands
from recorderd.errors import AmiError

PATH = "/var/spool/asterisk/monitor/2026/11/23/in-102-101-20261123-062320-1795414926.0.wav"


def lane(path: str = PATH, beep: int = 0) -> commands.MixMonitor:
    return commands.MixMonitor(lane_id="l1", uniqueid="1795414926.0", path=path, beep_seconds=beep)


TABLE: list[tuple[commands.Command, dict[str, str]]] = [
    (
        lane(),
        {
            "Action": "MixMonitor",
            "Channel": "1795414926.0",
            "File": "",
            "Options": f"br({PATH})i(RECORDERD_ID)",
        },
    ),
    (
        commands.StopMixMonitor(lane_id="l1", uniqueid="u.1", mixmonitor_id="0x7f1"),
        {"Action": "StopMixMonitor", "Channel": "u.1", "MixMonitorID": "0x7f1"},
    ),
    (commands.StopForeign(uniqueid="u.1"), {"Action": "StopMixMonitor", "Channel": "u.1"}),
    (
        commands.LookAtForeign(uniqueid="u.1"),
        {"Action": "Getvar", "Channel": "u.1", "Variable": "MIXMONITOR_FILENAME"},
    ),
    (
        commands.MixMonitorMute(lane_id="l1", uniqueid="u.1", mixmonitor_id="0x7f1", muted=True),
        {
            "Action": "MixMonitorMute",
            "Channel": "u.1",
            "Direction": "read",
            "State": "1",
            "MixMonitorID": "0x7f1",
        },
    ),
    (
        commands.Setvar(uniqueid="u.1", variable="CDR(recordingfile)", value="a.wav"),
        {"Action": "Setvar", "Channel": "u.1", "Variable": "CDR(recordingfile)", "Value": "a.wav"},
    ),
    (
        commands.OfferFeature(uniqueid="u.1"),
        {"Action": "Getvar", "Channel": "u.1", "Variable": "DYNAMIC_FEATURES"},
    ),
    (
        commands.EndTalk(uniqueids=("u.1", "u.2")),
        {
            "Action": "Redirect",
            "Channel": "u.1",
            "Context": "recorderd-ended",
            "Exten": "s",
            "Priority": "1",
            "ExtraChannel": "u.2",
            "ExtraContext": "recorderd-ended",
            "ExtraExten": "s",
            "ExtraPriority": "1",
        },
    ),
]


@pytest.mark.parametrize(("command", "headers"), TABLE, ids=lambda value: type(value).__name__)
def test_a_command_is_said_in_asterisks_words(command: commands.Command, headers: dict[str, str]) -> None:
    assert actions.BUILDERS[type(command)](command) == headers


def test_every_builder_has_a_row_here() -> None:
    assert {type(command) for command, _ in TABLE} == actions.BUILDERS.keys()


def test_a_beep_is_asked_for_in_seconds() -> None:
    assert actions.mixmonitor(lane(beep=15))["Options"].endswith("i(RECORDERD_ID)B(15)")


@pytest.mark.parametrize(
    "path",
    [
        *("", "x.wav", "/a,b.wav", "/a)b.wav", "/a(b.wav", "/a b.wav", "/a\r\nAction: Originate", "/a\n"),
        *(
            "/../etc/x.wav",
            "/a/../../x.wav",
            "/${SHELL(id)}",
            "/a;b",
            "/a|b",
            "/a^b",
            "/a&b",
            "/ä.wav",
            "/a\0",
        ),
        *("/a'b", '/a"b', "/a\\b", "/a`b"),
    ],
)
def test_a_path_that_mixmonitor_would_misread_is_never_sent(path: str) -> None:
    with pytest.raises(AmiError, match="not a path"):
        actions.mixmonitor(lane(path))


@given(st.text())
def test_no_path_ever_ends_the_options_or_adds_a_header(path: str) -> None:
    try:
        options = actions.mixmonitor(lane(path))["Options"]
    except AmiError:
        return
    assert options == f"br({path})i(RECORDERD_ID)"
    assert not set(path) & set(",()\r\n\0;|${}`'\"\\ ")


@pytest.mark.parametrize("bad", ["", "0x", "7f1", "0x7f1\r\n", "0x7g", "0x" + "1" * 40, "0x1,0x2"])
def test_an_id_that_is_none_is_never_sent(bad: str) -> None:
    with pytest.raises(AmiError, match="not a MixMonitorID"):
        actions.stop_mixmonitor(commands.StopMixMonitor(lane_id="l", uniqueid="u", mixmonitor_id=bad))
    with pytest.raises(AmiError, match="not a MixMonitorID"):
        actions.mixmonitor_mute(
            commands.MixMonitorMute(lane_id="l", uniqueid="u", mixmonitor_id=bad, muted=True)
        )


@pytest.mark.parametrize("bad", ["", "SHELL(id; ls)", "A B", "A\r\n", "1A", "A()", "A(b)c", "FILE(/etc/x,0)"])
def test_a_variable_with_a_strange_name_is_never_set(bad: str) -> None:
    with pytest.raises(AmiError, match="name of a variable"):
        actions.variable_set("u", bad, "x")


def test_the_question_that_kills_asterisk_is_never_asked() -> None:
    with pytest.raises(AmiError, match="kills Asterisk"):
        actions.variable_get("u", "MIXMONITOR(0x7f1)")
    with pytest.raises(AmiError, match="name of a variable"):
        actions.variable_get("u", "MIXMONITOR(0x7f1,filename)")


@pytest.mark.parametrize(
    ("offered", "with_ours"),
    [
        ("", "recorderd"),
        ("automon", "automon#recorderd"),
        ("a#b", "a#b#recorderd"),
        ("recorderd", "recorderd"),
        ("a#recorderd#b", "a#recorderd#b"),
        ("recorderd2", "recorderd2#recorderd"),
    ],
)
def test_our_feature_is_added_once_and_nothing_is_taken_away(offered: str, with_ours: str) -> None:
    assert actions.features_with(offered, ["recorderd"]) == with_ours


def test_several_features_are_added_each_once() -> None:
    assert actions.features_with("b#x", ["a", "b"]) == "b#x#a"
    assert actions.features_with("a#b", ["a", "b"]) == "a#b"


@pytest.mark.parametrize(
    ("version", "ami", "deadlocks"),
    [
        ("18.18.0", "7.0.3", True),
        ("18.19.0", "7.0.3", True),
        ("certified/18.9-cert5", "7.0.3", True),
        ("20.4.0", "9.0.0", True),
        ("18.17.1", "7.0.3", False),
        ("18.20.0", "7.0.3", False),
        ("20.5.0", "9.0.0", False),
        ("22.10.1+dfsg", "11.0.0", False),
        ("", "7.0.3", True),
        ("", "9.0.0", True),
        ("", "5.0.4", False),
        ("", "11.0.0", False),
    ],
)
def test_muting_is_left_undone_where_it_can_lock_asterisk_up(version: str, ami: str, deadlocks: bool) -> None:
    assert actions.mute_deadlocks(version, ami) is deadlocks


@pytest.mark.parametrize("bad", ["", "/.*/", "/^PJSIP/"])
def test_no_action_is_ever_for_all_channels_or_none(bad: str) -> None:
    say: list[Callable[[], object]] = [
        lambda: actions.hangup(bad),
        lambda: actions.redirect(bad, "c", "s"),
        lambda: actions.variable_set(bad, "A", "b"),
        lambda: actions.variable_get(bad, "A"),
        lambda: actions.mixmonitor(commands.MixMonitor(lane_id="l", uniqueid=bad, path="/x.wav")),
        lambda: actions.stop_foreign(commands.StopForeign(uniqueid=bad)),
    ]
    for one in say:
        with pytest.raises(AmiError, match="not a channel"):
            one()


def test_the_longest_path_that_a_disk_allows_still_fits_a_line() -> None:
    longest = "/" + "/".join(["d" * 200] * 4)
    wire.spell(actions.mixmonitor(lane(longest + ".wav")), "recorderd-12345678")
    with pytest.raises(AmiError, match="1000 bytes"):
        wire.spell(actions.mixmonitor(lane("/" + "d" * 1000)), "1")
