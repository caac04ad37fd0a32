"""The server over real TCP: right answers, hostile clients, and a daemon that is stuck."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable

import pytest

from recorderd.agi.advice import Advice
from recorderd.agi.server import FastAgiServer, Settings
from recorderd.errors import ConfigError
from tests.agi.brain import AsteriskSide, ChosenBrain, block
from tests.agi.conftest import House
from tests.agi.test_wire import MALFORMED

ANSWER = [b'SET VARIABLE RECORDERD_ADVICE "allow,always,1,open,,extension 101 wants always"']
USAGE = b"520-Invalid command syntax.  Proper usage follows:\nUsage: x\n520 End of proper usage.\n"
CLOSED = Advice(mode="always", record=True, fail_mode="closed-before")


def counted(house: House, how: str, number: int = 1, seconds: float = 10.0) -> bool:
    """Waits until that many sessions ended so."""
    deadline = time.monotonic() + seconds
    while house.server.counts().get(how, 0) < number:
        if time.monotonic() > deadline:
            raise AssertionError(f"not {number} {how}: {house.server.counts()}")
        time.sleep(0.005)
    return True


def test_a_consult_gets_one_variable_and_then_the_end(house: House) -> None:
    with house.call() as asterisk:
        assert asterisk.talk(block(agi_arg_1="102")) == ANSWER
    assert counted(house, "answered")
    assert house.brain.asked[0].callees == ("102",)


def test_a_block_that_comes_byte_by_byte_is_answered(house: House) -> None:
    with house.call() as asterisk:
        asterisk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = block()
        for position in range(len(data) - 1):
            asterisk.send(data[position : position + 1])
        assert asterisk.talk(data[-1:]) == ANSWER


def test_a_press_plays_one_tone_and_ends(house: House) -> None:
    with house.call() as asterisk:
        said = asterisk.talk(block(agi_network_script="toggle"), b"200 result=0 endpos=1760\n")
    assert said == [b'STREAM FILE "recorderd/started" ""']


def test_the_next_command_waits_for_the_whole_of_a_usage_text(house: House) -> None:
    with house.call() as asterisk:
        asterisk.send(block())
        assert asterisk.line() == ANSWER[0]
        asterisk.send(USAGE[:60])
        assert not house.server.counts()
        assert asterisk.talk(USAGE[60:]) == []
    assert counted(house, "answered")


def test_closed_before_waits_for_the_file(house: House) -> None:
    house.brain.advice = CLOSED
    with house.call() as asterisk:
        assert asterisk.talk(block()) == [b'SET VARIABLE RECORDERD_ADVICE "allow,always,1,closed-before,,"']


def test_closed_before_refuses_when_the_file_does_not_come(house: House) -> None:
    house.brain.advice, house.brain.arms = CLOSED, None
    with house.call() as asterisk:
        assert asterisk.talk(block()) == [b'SET VARIABLE RECORDERD_ADVICE "refuse,always,1,closed-before,,"']


def test_a_brain_that_raises_closes_so_that_the_fail_mode_holds(house: House) -> None:
    def broken(question: object) -> Advice:
        raise KeyError(f"no such snapshot for {question}")

    house.brain.advice = broken
    with house.call() as asterisk:
        assert asterisk.talk(block()) == []
    assert counted(house, "failed")
    assert "no such snapshot" in house.reports[0]
    house.brain.advice = CLOSED
    with house.call() as asterisk:
        assert asterisk.talk(block())


def test_a_press_whose_answer_is_an_error_closes_without_a_tone(house: House) -> None:
    house.brain.outcome = RuntimeError("engine")
    with house.call() as asterisk:
        assert asterisk.talk(block(agi_network_script="toggle")) == []


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_agi_is_closed_without_a_word(house: House, data: bytes) -> None:
    with house.call() as asterisk:
        assert asterisk.talk(data) == []
    assert counted(house, "malformed")


def test_an_unknown_path_is_closed_and_told_once(house: House) -> None:
    for _ in range(20):
        with house.call() as asterisk:
            assert asterisk.talk(block(agi_network_script="togle")) == []
    assert counted(house, "no-route", 20)
    assert len(house.reports) == 1
    assert "togle" in house.reports[0]


@pytest.mark.parametrize("position", [0, 1, 4, 100, len(block()) - 1])
@pytest.mark.parametrize("abort", [False, True], ids=["eof", "rst"])
def test_an_end_at_any_place_of_the_block_is_taken_calmly(house: House, position: int, abort: bool) -> None:
    asterisk = house.call()
    asterisk.send(block()[:position])
    if abort:
        asterisk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    asterisk.close()
    assert counted(house, "gone")
    assert not house.reports


@pytest.mark.parametrize(
    ("script", "brain_setup"),
    [("consult", "command"), ("consult", "armed"), ("toggle", "press")],
)
@pytest.mark.parametrize("end", ["HANGUP", "EOF", "RST"])
def test_an_end_in_the_middle_of_a_conversation_frees_it(
    house: House, script: str, brain_setup: str, end: str
) -> None:
    if brain_setup == "armed":
        house.brain.advice, house.brain.arms = CLOSED, None
    elif brain_setup == "press":
        house.brain.outcome = None
    asterisk = house.call()
    asterisk.send(block(agi_network_script=script))
    if brain_setup == "command":
        assert asterisk.line() == ANSWER[0]
    if end == "HANGUP":
        asterisk.send(b"HANGUP\n")
        assert counted(house, "hangup")
    else:
        if end == "RST":
            asterisk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        asterisk.close()
        assert counted(house, "gone")
    asterisk.close()


def test_a_dead_channel_is_a_hangup(house: House) -> None:
    with house.call() as asterisk:
        asterisk.talk(block(), b"511 Command Not Permitted on a dead channel or intercept routine\n")
    assert counted(house, "hangup")


@pytest.mark.parametrize("answer", [b"510 Invalid or unknown command\n", USAGE, b"200 result=-1\n"])
def test_a_refused_command_ends_the_conversation_normally(house: House, answer: bytes) -> None:
    with house.call() as asterisk:
        assert len(asterisk.talk(block(), answer)) == 1
    assert counted(house, "answered")


def test_an_answer_to_no_command_is_refused(house: House) -> None:
    house.brain.advice, house.brain.arms = CLOSED, None
    with house.call() as asterisk:
        assert asterisk.talk(block() + b"200 result=1\n") == []
    assert counted(house, "malformed")


def test_answers_sent_ahead_do_not_make_a_second_command_go_out_early(house: House) -> None:
    with house.call() as asterisk:
        assert len(asterisk.talk(block() + b"200 result=1\n200 result=1\n200 result=1\n")) == 1


def test_a_client_of_one_byte_a_second_is_ended_by_the_deadline(open_house: Callable[..., House]) -> None:
    house = open_house(block_seconds=0.2)
    with house.call() as asterisk:
        asterisk.send(b"agi_")
        assert asterisk.line() == b""
    assert counted(house, "late-block")
    assert not house.reports


def test_an_answer_that_never_comes_is_ended_by_the_deadline(open_house: Callable[..., House]) -> None:
    house = open_house(answer_seconds=0.2)
    with house.call() as asterisk:
        asterisk.send(block())
        assert asterisk.line() == ANSWER[0]
        assert asterisk.line() == b""
    assert counted(house, "late-answer")


def test_the_whole_session_has_a_deadline(open_house: Callable[..., House]) -> None:
    house = open_house(session_seconds=0.3)
    house.brain.advice, house.brain.arms = CLOSED, None
    with house.call() as asterisk:
        assert asterisk.talk(block()) == []
    assert counted(house, "late-session")


def test_when_it_is_full_the_oldest_stranger_goes_and_asterisk_is_answered(
    open_house: Callable[..., House],
) -> None:
    house = open_house(sessions=5, block_seconds=60.0, session_seconds=60.0)
    strangers = [house.call() for _ in range(20)]
    assert counted(house, "evicted", 15)
    with house.call() as asterisk:
        assert asterisk.talk(block()) == ANSWER
    for stranger in strangers:
        stranger.close()


def test_when_it_is_full_of_asterisk_the_newcomer_is_closed_at_once(open_house: Callable[..., House]) -> None:
    house = open_house(sessions=3, session_seconds=60.0, answer_seconds=60.0)
    talking = [house.call() for _ in range(3)]
    for asterisk in talking:
        asterisk.send(block())
        assert asterisk.line()
    with house.call() as newcomer:
        assert newcomer.line() == b""
    assert counted(house, "crowded")
    for asterisk in talking:
        asterisk.send(b"200 result=1\n")
        assert asterisk.line() == b""
    assert counted(house, "answered", 3)


def test_ten_thousand_pieces_of_junk_and_a_port_scan_leave_it_answering(house: House) -> None:
    junk = list(MALFORMED.values())
    for number in range(10_000):
        stranger = socket.create_connection(("127.0.0.1", house.server.port), timeout=10)
        if number % 3:
            stranger.send(junk[number % len(junk)])
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stranger.close()
        if number % 1000 == 0:
            with house.call() as asterisk:
                assert asterisk.talk(block()) == ANSWER
    with house.call() as asterisk:
        assert asterisk.talk(block()) == ANSWER
    assert sum(house.server.counts().values()) >= 9_000


def consult_times(port: int, enough: threading.Event, times: list[float]) -> None:
    while not enough.is_set():
        started = time.monotonic()
        with AsteriskSide(port) as asterisk:
            assert asterisk.talk(block()) == ANSWER
        times.append(time.monotonic() - started)


@pytest.mark.parametrize("how", ["asleep", "busy"])
def test_it_answers_while_the_main_thread_is_stuck(house: House, how: str) -> None:
    # The Asterisk side lives in a thread too: what is measured is the server's, not this thread's.
    times: list[float] = []
    enough = threading.Event()
    client = threading.Thread(target=consult_times, args=(house.server.port, enough, times))
    client.start()
    if how == "asleep":
        time.sleep(1.0)
    else:
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            pass
    answered = len(times)
    enough.set()
    client.join(10)
    assert answered >= 3, "not one answer came while the main thread was stuck"
    assert house.server.silent_seconds < 1.0


def test_without_uvloop_it_answers_the_same() -> None:
    plain = FastAgiServer(ChosenBrain(), Settings(port=0), report=print, new_loop=asyncio.new_event_loop)
    plain.start()
    with AsteriskSide(plain.port) as asterisk:
        assert asterisk.talk(block()) == ANSWER
    with AsteriskSide(plain.port) as asterisk:
        assert asterisk.talk(MALFORMED["http"]) == []
    plain.stop()


def test_a_port_that_is_taken_is_one_clear_sentence(house: House) -> None:
    other = FastAgiServer(ChosenBrain(), Settings(port=house.server.port), report=print)
    with pytest.raises(ConfigError) as fault:
        other.start()
    sentence = f"agi: cannot listen on 127.0.0.1:{house.server.port}: Address already in use"
    assert str(fault.value) == sentence


def test_stop_ends_open_sessions_and_frees_the_port(open_house: Callable[..., House]) -> None:
    house = open_house()
    with house.call() as asterisk:
        asterisk.send(b"agi_network: yes\n")
        with house.call() as other:
            assert other.talk(block()) == ANSWER
        house.server.stop()
        assert asterisk.line() == b""
    assert house.server.counts()["stopped"] == 1
    with pytest.raises(ConnectionRefusedError):
        house.call()
