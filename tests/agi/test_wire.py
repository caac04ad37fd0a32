"""AGI's language: what is taken, what is refused, at any chunking."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.agi import wire
from tests.agi.brain import ENV, block


def read(data: bytes) -> wire.Request:
    whole = wire.BlockReader().feed(data)
    assert whole is not None
    return whole[0]


def test_a_block_as_asterisk_writes_it_is_understood() -> None:
    request = read(block(agi_network_script="consult?callee=102", agi_arg_1="103", agi_arg_2="1700000000.7"))
    assert request == wire.Request(
        path="consult",
        query={"callee": "102"},
        args=("103", "1700000000.7"),
        channel="PJSIP/101-0000002a",
        uniqueid="pbx-1700000000.42",
        caller_id_num="101",
        exten="ask",
        context="recorderd",
    )


def test_an_argument_beats_the_query_and_the_query_beats_nothing() -> None:
    request = read(block(agi_network_script="consult?callee=102&linkedid=x", agi_arg_1="103", agi_arg_2=""))
    assert request.argument(0, "callee") == "103"
    assert request.argument(1, "linkedid") == "x"
    assert request.argument(2, "exten") == ""


def test_a_name_that_is_not_utf8_is_kept_byte_for_byte() -> None:
    data = block(agi_callerid="XX").replace(b"XX", b"\xc8\xe2\xe0\xed")
    number = read(data).caller_id_num
    assert number.encode("utf-8", "surrogateescape") == b"\xc8\xe2\xe0\xed"


@pytest.mark.parametrize("word", ["unknown", "<unknown>", ""])
def test_an_unknown_number_is_empty(word: str) -> None:
    assert read(block(agi_callerid=word)).caller_id_num == ""


MALFORMED = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "zeros": b"\0" * 100,
    "blank line first": b"\n\n",
    "no colon": b"agi_network\n\n",
    "no path": block(agi_network_script=None),
    "no channel": block(agi_channel=None),
    "no uniqueid": block(agi_uniqueid=None),
    "uniqueid with a blank": block(agi_uniqueid="1 2"),
    "uniqueid with a return": block(agi_uniqueid="1\r2"),
    "uniqueid too long": block(agi_uniqueid="1" * 200),
    "a header twice": block().replace(b"\n\n", b"\nagi_uniqueid: 666.1\n\n"),
    "too many headers": block(**{f"agi_x{n}": "1" for n in range(100)}),
    "too many bytes": block(agi_calleridname="x" * 10_000),
    "too many bytes without an end": b"agi_network: " + b"y" * 9000,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_agi_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(wire.Malformed) as fault:
        wire.BlockReader().feed(data)
    assert str(fault.value)


@pytest.mark.parametrize("data", [b"G", b"\x16", b"agj"])
def test_the_first_wrong_byte_is_enough(data: bytes) -> None:
    with pytest.raises(wire.Malformed):
        wire.BlockReader().feed(data)


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(st.integers(0, 2000), max_size=40))
def test_any_chunking_of_a_block_gives_the_same_request(cuts: list[int]) -> None:
    data = block(agi_calleridname="Иван")
    reader = wire.BlockReader()
    whole = None
    rest = b""
    for chunk in chunks(data + b"HANGUP\n", cuts):
        if whole is None:
            whole = reader.feed(chunk)
        else:
            rest += chunk
    assert whole is not None
    assert (whole[0], whole[1] + rest) == (read(data), b"HANGUP\n")


USAGE = (
    b"520-Invalid command syntax.  Proper usage follows:\n"
    b"Usage: SET VARIABLE <variablename> <value>\n"
    b"520 End of proper usage.\n"
)
BEFORE = b"200 result=1\nHANGUP\n100 Trying...\n200 result=-1 endpos=16\n"
ANSWERS = BEFORE + USAGE + b"510 Invalid or unknown command\n"


def outline(answers: list[wire.Reply | wire.Hangup]) -> list[object]:
    return [(a.code, a.result) if isinstance(a, wire.Reply) else "HANGUP" for a in answers]


@given(st.lists(st.integers(0, 400), max_size=40))
def test_any_chunking_of_answers_gives_the_same_answers(cuts: list[int]) -> None:
    reader = wire.ReplyReader()
    answers = [answer for chunk in chunks(ANSWERS, cuts) for answer in reader.feed(chunk)]
    assert outline(answers) == [(200, 1), "HANGUP", (200, -1), (520, None), (510, None)]


def test_a_hangup_inside_a_usage_text_is_heard() -> None:
    reader = wire.ReplyReader()
    assert outline(list(reader.feed(USAGE.replace(b"Usage:", b"HANGUP\nUsage:")))) == ["HANGUP", (520, None)]


@pytest.mark.parametrize(
    "data", [b"hello\n", b"\n", b"20\n", b"2000x" * 2000, b"520-x\n" + (b"y" * 4000 + b"\n") * 3]
)
def test_an_answer_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(wire.Malformed):
        list(wire.ReplyReader().feed(data))


@given(st.text())
def test_nothing_in_a_value_ends_a_command_or_its_quotes(value: str) -> None:
    command = wire.set_variable("X", value.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    assert command.count(b"\n") == 1
    inside = command[len(b'SET VARIABLE X "') : -2]
    assert b'"' not in inside.replace(b"\\\\", b"").replace(b'\\"', b"")


@given(st.dictionaries(st.sampled_from(sorted(ENV)), st.text(max_size=50)))
def test_no_block_gets_past_the_door_but_as_a_request_or_a_malformed(changes: dict[str, str]) -> None:
    data = block(**{name: value.encode("utf-8", "replace").decode() for name, value in changes.items()})
    try:
        whole = wire.BlockReader().feed(data)
    except wire.Malformed:
        return
    assert whole is None or all(c.isprintable() for c in whole[0].uniqueid)


@pytest.mark.parametrize(
    ("channel", "extension"),
    [
        ("PJSIP/101-0000002a", "101"),
        ("PJSIP/my-phone-0000002a", "my-phone"),
        ("SIP/trunk-out-00000001", "trunk-out"),
        ("nonsense", ""),
    ],
)
def test_an_extension_is_cut_at_the_last_hyphen(channel: str, extension: str) -> None:
    assert wire.extension_of(channel) == extension
