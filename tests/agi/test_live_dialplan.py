"""The include beside a real Asterisk and real telephones: asking, being told, and nobody answering."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recorderd.agi.advice import Advice
from recorderd.agi.server import FastAgiServer, Settings
from tests.agi.brain import ChosenBrain
from tests.agi.laws import CLOSED, FALLBACKS
from tests.agi.test_script import ADVICE, Control
from tests.live.asterisk import Asterisk, within
from tests.live.phone import Call, Phones
from tests.live.signals import ulaw_decode

pytestmark = pytest.mark.live

REPOSITORY = Path(__file__).parents[2]
SOUNDS = REPOSITORY / "recorderd" / "agi" / "sounds"
EMERGENCY = "110"
TONE_HZ = {"started": (650, 850), "stopped": (850, 650), "denied": (250, 250)}


def law_contexts() -> str:
    """One extension 77<n> for each law: goes where `dialled` is dialled, asks, and keeps what it was told."""
    parts = ["[rig-extra](+)"]
    parts += [f"exten => 77{n:02},1,Goto(law-{n},{law.dialled},1)" for n, law in enumerate(FALLBACKS)]
    for n, law in enumerate(FALLBACKS):
        told = "/".join(f"${{CUT(RECORDERD_ADVICE,\\,,{field})}}" for field in (1, 4, 5))
        parts += [
            f"[law-{n}]",
            f"exten => {law.dialled},1,Gosub(recorderd,ask,1({'&'.join(law.callees)}))",
            f" same => n,Set(GLOBAL(TOLD{n})=${{GOSUB_RETVAL}}/{told})",
            " same => n,Hangup()",
        ]
    parts += [
        "[law-h]",
        "exten => 102,1,Gosub(recorderd,s,1(102))",
        "exten => h,1,Set(GLOBAL(ENDED)=yes)",
        "[law-hostile]",
        "exten => 102,1,Set(dollar=$)",
        r""" same => n,Set(number=1"&'0${dollar}[3]${dollar}{SHELL(id)}\;|/ x\\)""",
        " same => n,Gosub(recorderd,ask,1(${number}))",
        " same => n,Set(GLOBAL(HOSTILE)=${GOSUB_RETVAL})",
    ]
    return "\n".join(parts)


@pytest.fixture(scope="module", params=[22, 16])
def asterisk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    ask = "Gosub(recorderd,s,1(${FILTER(0-9,${EXTEN})}))"
    asterisk = Asterisk.start(
        request.param,
        tmp_path_factory.mktemp(f"asterisk{request.param}"),
        before_dial=f"Set(__DYNAMIC_FEATURES=recorderd)\n same => n,{ask}",
        dialplan=f'{law_contexts()}\n#include "{REPOSITORY}/dialplan/recorderd.conf"\n',
    )
    install_sounds(asterisk)
    yield asterisk
    asterisk.stop()


def install_sounds(asterisk: Asterisk) -> None:
    """As recorderd/agi/sounds/README says."""
    folder = asterisk.sounds / "recorderd"
    folder.mkdir()
    for sound in [*SOUNDS.glob("*.wav"), *(SOUNDS / "en").glob("*.ulaw")]:
        shutil.copy(sound, folder)


@pytest.fixture
def nobody(asterisk: Asterisk) -> Asterisk:
    """Asterisk with an empty mirror and nobody at the AGI port."""
    asterisk.cli("database deltree recorderd")
    use_agi(asterisk, f"agi://127.0.0.1:{asterisk.agi_port}")
    return asterisk


@pytest.fixture
def brain(nobody: Asterisk) -> Iterator[ChosenBrain]:
    """A daemon answers at the AGI port; it says what the test wants."""
    brain = ChosenBrain()
    server = FastAgiServer(brain, Settings(port=nobody.agi_port), report=print)
    server.start()
    yield brain
    server.stop()


def use_agi(asterisk: Asterisk, prefix: str) -> None:
    asterisk.cli(f"dialplan set global RECORDERD_AGI {prefix}")


def mirror(asterisk: Asterisk, key: str, value: str) -> None:
    family, _, last = f"recorderd/{key}".rpartition("/")
    asterisk.cli(f"database put {family} {last} {value}")


def test_asterisk_reads_the_include_and_the_example_without_a_word(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    example = (REPOSITORY / "dialplan" / "example-extensions.conf").read_text()
    example = example.replace("#include recorderd.conf", f'#include "{REPOSITORY}/dialplan/recorderd.conf"')
    features = f'[general]\n[applicationmap]\n#include "{REPOSITORY}/config/features_recorderd.conf"\n'
    other = Asterisk.start(
        asterisk.version, tmp_path, files={"extensions.conf": example, "features.conf": features}
    )
    try:
        assert other.complaints() == []
        for context, lines in (("recorderd", 40), ("recorderd-press", 3), ("recorderd-ended", 3)):
            assert f"({lines} priorities)" in other.cli(f"dialplan show {context}")
        assert re.search(r"recorderd\s+no def\s+\*1\b", other.cli("features show"))
    finally:
        other.stop()


async def test_a_call_asks_once_and_goes_on(nobody: Asterisk, brain: ChosenBrain) -> None:
    async with Phones(nobody) as phones:
        caller, callee = await phones("101"), await phones("102")
        call, _ = await phones.connect(caller, callee)
        await call.hearing(1)
        await call.hangup()
    [question] = brain.asked
    assert question.channel.startswith("PJSIP/101-")
    assert question.linkedid == question.uniqueid
    assert (question.exten, question.context, question.callees) == ("102", "from-phones", ("102",))
    assert question.caller_id_num == "101"


async def test_a_refused_call_hears_why_and_never_rings(nobody: Asterisk, brain: ChosenBrain) -> None:
    brain.advice, brain.arms = Advice(mode="always", record=True, fail_mode=CLOSED), False
    await refused(nobody)


async def test_an_announced_call_hears_the_prompt_and_then_rings(
    nobody: Asterisk, brain: ChosenBrain
) -> None:
    brain.advice = Advice(mode="always", record=True, fail_mode="announce", announce="not-recorded")
    await announced(nobody)


async def test_without_a_daemon_closed_before_does_not_connect(nobody: Asterisk) -> None:
    mirror(nobody, "fail/102", CLOSED)
    await refused(nobody)


async def test_without_a_daemon_announce_tells_the_caller(nobody: Asterisk) -> None:
    mirror(nobody, "fail/101", "announce")
    await announced(nobody)


@pytest.mark.parametrize("mode", ["open", "closed-during", None])
async def test_without_a_daemon_the_call_just_goes_on(nobody: Asterisk, mode: str | None) -> None:
    if mode:
        mirror(nobody, "fail/default", mode)
    await connects(nobody, "102")


async def test_an_emergency_call_goes_on_even_beside_a_daemon_that_is_stuck(nobody: Asterisk) -> None:
    mirror(nobody, "fail/default", CLOSED)
    mirror(nobody, f"emergency/{EMERGENCY}", "1")
    with socket.create_server(("127.0.0.1", nobody.agi_port)) as mute:
        await connects(nobody, EMERGENCY)
        mute.setblocking(False)
        with pytest.raises(BlockingIOError):
            mute.accept()


def test_a_refused_call_still_runs_the_callers_own_h_extension(nobody: Asterisk) -> None:
    mirror(nobody, "fail/default", CLOSED)
    nobody.cli("dialplan set global ENDED no")
    nobody.cli("channel originate Local/102@law-h application NoOp")
    within(10, lambda: "ENDED=yes" in nobody.cli("dialplan show globals"), "the h extension of law-h")


def test_a_hostile_number_reaches_the_daemon_as_harmless_text(nobody: Asterisk, brain: ChosenBrain) -> None:
    nobody.cli("channel originate Local/102@law-hostile application NoOp")
    within(10, lambda: brain.asked, "the question")
    assert brain.asked[0].callees == ("1", "03SHELLidx")
    within(10, lambda: "HOSTILE=allow" in nobody.cli("dialplan show globals"), "the call going on")


async def test_the_dialplan_spells_the_same_law_as_the_script(nobody: Asterisk) -> None:
    async with Phones(nobody) as phones:
        caller = await phones("101")
        for number, law in enumerate(FALLBACKS):
            await asyncio.to_thread(nobody.cli, "database deltree recorderd")
            for key, value in law.astdb.items():
                await asyncio.to_thread(mirror, nobody, key, value)
            await (await caller.call(f"77{number:02}")).ended()
    told = dict(re.findall(r"TOLD(\d+)=(\S*)", nobody.cli("dialplan show globals")))
    expected = {
        str(number): f"{law.verb}/{law.verb}/{law.fail_mode}/{law.prompt}"
        for number, law in enumerate(FALLBACKS)
    }
    assert told == expected


@pytest.mark.parametrize("outcome", ["started", "stopped", "denied"])
@pytest.mark.parametrize("presser", ["101", "102"])
async def test_the_presser_alone_hears_the_tone(
    nobody: Asterisk, brain: ChosenBrain, outcome: str, presser: str
) -> None:
    brain.outcome = outcome
    async with Phones(nobody) as phones:
        caller, callee = await phones("101"), await phones("102")
        calls = dict(zip(("101", "102"), await phones.connect(caller, callee), strict=True))
        await calls["101"].hearing(1)
        await calls["102"].hearing(0)
        pressed = time.time()
        await calls[presser].dtmf("*1")
        await until(lambda: bool(brain.presses), "the press arrives")
        await until(lambda: tone_heard(calls[presser], pressed) == TONE_HZ[outcome], f"tone {outcome}")
        await calls["101"].hearing(1)
        await calls["102"].hearing(0)
        after = time.time()
        other = calls["102" if presser == "101" else "101"]
        assert tone_heard(other, pressed) == ()
        keys_ms, longest_tone_ms, edges_ms = 400, 300, 100
        lost = lost_ms(other, voice=int(presser) - 101, since=pressed, until=after)
        assert lost <= keys_ms + longest_tone_ms + edges_ms
        lost = lost_ms(calls[presser], voice=102 - int(presser), since=pressed, until=after)
        assert lost <= longest_tone_ms + edges_ms
    [press] = brain.presses
    assert (press.action, press.by, press.source) == ("toggle", presser, "feature-code")


def write_script(path: Path, control: Path) -> Path:
    """What pip makes of the entry point `recorderd-agi`, with the environment of this test."""
    path.write_text(
        f"#!/bin/sh\nRECORDERD_CONTROL={control} PYTHONPATH={REPOSITORY} "
        f'exec {sys.executable} -m recorderd.agi.script "$@"\n'
    )
    path.chmod(0o755)
    return path


async def test_the_feature_code_reaches_the_script_too(asterisk: Asterisk, tmp_path: Path) -> None:
    control = Control(tmp_path / "control.sock")
    control.answers["/v1/press"] = (200, {"outcome": "stopped", "reason": ""})
    script = write_script(tmp_path / "recorderd-agi", control.path)
    other = Asterisk.start(
        asterisk.version,
        tmp_path / "asterisk",
        before_dial="Set(__DYNAMIC_FEATURES=recorderd)",
        files={"features.conf": f'[applicationmap]\nrecorderd => *1,self,AGI,"{script},/toggle"\n'},
    )
    install_sounds(other)
    try:
        async with Phones(other) as phones:
            call, _ = await phones.connect(await phones("101"), await phones("102"))
            await call.hearing(1)
            pressed = time.time()
            await call.dtmf("*1")
            await until(lambda: tone_heard(call, pressed) == TONE_HZ["stopped"], "the falling tone")
        [(_, asked)] = control.asked
        assert isinstance(asked, dict)
        assert (asked["action"], asked["by"], asked["source"]) == ("toggle", "101", "feature-code")
    finally:
        other.stop()
        control.close()


async def test_the_script_answers_where_there_is_no_fastagi(nobody: Asterisk, tmp_path: Path) -> None:
    control = Control(tmp_path / "control.sock")
    control.answers["/v1/consult"] = (200, ADVICE)
    script = write_script(tmp_path / "recorderd-agi", control.path)
    use_agi(nobody, f"{script},")
    try:
        await connects(nobody, "102")
        [(_, asked)] = control.asked
        assert isinstance(asked, dict)
        assert (asked["callees"], asked["exten"], asked["context"]) == (["102"], "102", "from-phones")
        assert asked["linkedid"] == asked["uniqueid"]
    finally:
        control.close()
    mirror(nobody, "fail/102", CLOSED)
    await refused(nobody)


# --- what the telephones see -------------------------------------------------------------------


async def connects(asterisk: Asterisk, number: str) -> None:
    async with Phones(asterisk) as phones:
        caller, callee = await phones("101"), await phones(number)
        call, _ = await phones.connect(caller, callee)
        await call.hangup()


async def refused(asterisk: Asterisk) -> None:
    """The caller hears the prompt before the 403, and 102 does not ring."""
    async with Phones(asterisk) as phones:
        caller, callee = await phones("101"), await phones("102")
        call = await caller.call("102")
        assert await call.ended() == 403
        assert spoken_ms(call) > 2000
        assert callee.calls == []


async def announced(asterisk: Asterisk) -> None:
    """The caller hears the prompt, then 102 rings, and the call connects."""
    async with Phones(asterisk) as phones:
        caller, callee = await phones("101"), await phones("102")
        call = await caller.call("102")
        ringing = await callee.ringing()
        assert spoken_ms(call) > 2000
        await ringing.answer()
        await call.up()
        await call.hangup()


async def until(condition: object, what: str, seconds: float = 10.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


def spoken_ms(call: Call) -> float:
    """How long something loud enough to be speech was heard."""
    samples = ulaw_decode(call.stream.heard.sound()).astype(float)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    return 20.0 * int(np.count_nonzero(np.abs(frames).mean(axis=1) > 100))


def tone_heard(call: Call, since: float) -> tuple[int, ...]:
    """Our tone's first and last frequency, if it is in what this phone heard since then."""
    samples = ulaw_decode(call.stream.heard.sound(since)).astype(float)
    loud = [
        hz
        for start in range(0, len(samples) - 640, 80)
        for hz in (250, 650, 850)
        if amplitude(samples[start : start + 640], hz) > 2500
    ]
    return (loud[0], loud[-1]) if len(loud) >= 5 else ()


def amplitude(frame: np.ndarray, hz: int) -> float:
    """Of the tone `hz` in a few frames; the voices' tones, multiples of 100 Hz, count next to nothing."""
    turn = np.exp(-2j * np.pi * hz * np.arange(len(frame)) / 8000)
    return 2 * abs(complex(np.dot(frame, turn))) / len(frame)


def lost_ms(call: Call, *, voice: int, since: float, until: float) -> float:
    """How much of that time the voice was not heard; the two keys themselves (400 ms) are in it."""
    heard = sum(run.length_ms for run in call.hears(voice, since=since, until=until))
    return 1000 * (until - since) - heard
