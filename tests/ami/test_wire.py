"""Bytes: splitting, parsing, and what may go out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.ami import wire
from recorderd.errors import AmiError

STREAMS = sorted((Path(__file__).parent / "streams").glob("*.stream"))


def names(messages: list[bytes]) -> list[str]:
    """The event names, as an independent reader finds them: line by line."""
    return [wire.parse(wire.start(message)).get("Event", "") for message in messages if wire.start(message)]


def by_lines(stream: bytes) -> list[str]:
    """The truth: every line that begins with `Event: `."""
    return [line[7:].decode() for line in stream.split(b"\r\n") if line.startswith(b"Event: ")]


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_real_stream_with_tripled_line_ends_loses_and_misreads_nothing(path: Path) -> None:
    stream = path.read_bytes()
    assert b"\r\n\r\n\r\n" in stream
    splitter = wire.Splitter()
    assert splitter.line(stream) == stream.split(b"\r\n")[0]
    assert names(splitter.feed(b"")) == by_lines(stream)


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_real_stream_read_byte_by_byte_gives_the_same_messages(path: Path) -> None:
    stream = path.read_bytes()[:20_000]
    whole, single = wire.Splitter(), wire.Splitter()
    messages = [message for byte in stream for message in single.feed(bytes([byte]))]
    assert messages == whole.feed(stream)


@given(st.data())
def test_any_chopping_of_a_stream_gives_the_same_messages(data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(STREAMS)).read_bytes()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=60)))
    splitter = wire.Splitter()
    messages = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        messages += splitter.feed(stream[start:end])
    assert messages == wire.Splitter().feed(stream)


@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b": ", "И".encode()]), max_size=40), st.data())
def test_any_chopping_of_hostile_bytes_gives_the_same_messages(
    parts: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    splitter = wire.Splitter()
    messages = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        messages += splitter.feed(stream[start:end])
    assert messages == wire.Splitter().feed(stream)


def test_a_message_without_an_end_is_refused_before_memory_is_gone() -> None:
    splitter = wire.Splitter(limit=1000)
    splitter.feed(b"x" * 1000)
    with pytest.raises(AmiError, match="without an end"):
        splitter.feed(b"x")


def test_a_stream_that_greets_with_no_line_is_not_asterisk() -> None:
    with pytest.raises(AmiError, match="not Asterisk"):
        wire.Splitter().line(b"x" * 2000)


def test_the_banner_may_come_in_pieces_and_with_what_follows_it() -> None:
    splitter = wire.Splitter()
    assert splitter.line(b"Asterisk Call") is None
    assert splitter.line(b" Manager/1\r\nEvent: A\r\n\r") == b"Asterisk Call Manager/1"
    assert splitter.feed(b"\n") == [b"Event: A"]


def test_an_empty_last_header_is_kept() -> None:
    assert wire.parse(b"Event: VarSet\r\nVariable: A\r\nValue: ") == {
        "Event": "VarSet",
        "Variable": "A",
        "Value": "",
    }


def test_values_are_not_decoded_and_keep_their_colons() -> None:
    assert wire.parse(b"Result: 200%20result=1\r\nA: b: c") == {"Result": "200%20result=1", "A": "b: c"}


def test_repeated_headers_are_all_there_in_order() -> None:
    assert wire.pairs(b"Variable: A=1\r\nVariable: B=2") == [("Variable", "A=1"), ("Variable", "B=2")]


def test_foreign_bytes_come_back_as_they_were() -> None:
    raw = "Иван ".encode() + b"\xd6\xff"
    name = wire.parse(b"CallerIDName: " + raw)["CallerIDName"]
    assert wire.spell({"Action": "Setvar", "Value": name}, "1") == (
        b"Action: Setvar\r\nValue: " + raw + b"\r\nActionID: 1\r\n\r\n"
    )


@pytest.mark.parametrize("value", ["a\r\nAction: Originate", "a\nb", "a\rb", "a\0b", "\r\n\r\n", "\n"])
def test_a_value_with_a_line_end_or_a_nul_is_never_spelled(value: str) -> None:
    with pytest.raises(AmiError, match="not sent"):
        wire.spell({"Action": "Setvar", "Value": value}, "1")


@pytest.mark.parametrize("name", ["", "A B", "A:B", "A\r\nB", "Ä"])
def test_a_name_that_is_no_header_is_never_spelled(name: str) -> None:
    with pytest.raises(AmiError, match="not the name"):
        wire.spell({"Action": "Setvar", name: "x"}, "1")


def test_a_line_is_refused_in_bytes_not_in_letters() -> None:
    wire.spell({"Action": "Setvar", "Value": "a" * (wire.MAX_LINE - len("Value: "))}, "1")
    with pytest.raises(AmiError, match="1000 bytes"):
        wire.spell({"Action": "Setvar", "Value": "И" * 500}, "1")


def test_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(AmiError, match="no text"):
        wire.spell({"Action": "Setvar", "Value": "\ud800"}, "1")


@given(st.dictionaries(st.sampled_from(["Channel", "Variable", "Value"]), st.text(max_size=300)))
def test_what_is_spelled_is_always_one_action_and_reads_back_the_same(headers: dict[str, str]) -> None:
    try:
        data = wire.spell({"Action": "Setvar", **headers}, "7")
    except AmiError:
        return
    messages = wire.Splitter().feed(data)
    assert len(messages) == 1
    assert wire.parse(messages[0]) == {"Action": "Setvar", **headers, "ActionID": "7"}
