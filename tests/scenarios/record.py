"""Places one call of each kind at a real Asterisk and writes its AMI messages into `*.ami`.

    python -m tests.scenarios.record [22] [16] [NAME...]     record (again); everything if nothing is named
    python -m tests.scenarios.record --expect FILE...        write what the engine makes of it now beneath it

A person reads the result before it is committed: it becomes the truth that `test_scenarios` holds the engine
to.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.live.asterisk import Asterisk
from tests.live.call import Call
from tests.live.phone import Phones
from tests.live.rig_ami import Message, RigAmi
from tests.scenarios.transcript import EXPECTED, FOLDER, WANTED, beneath

TALK = 1.5
"""Seconds of talk between two doings: longer than every tolerance."""


async def _talk() -> None:
    await asyncio.sleep(TALK)


async def _dialled(
    phones: Phones, dials: str, number: str, answers: str, shows: str = ""
) -> tuple[Call, Call]:
    """`dials` dials `number`, `answers` lifts the handset; both calls are up."""
    first, second = await phones(dials), await phones(answers)
    call = await first.call(number, caller=shows)
    other = await second.ringing()
    await asyncio.sleep(0.3)
    await other.answer()
    await call.up()
    return call, other


async def internal(phones: Phones, _ami: RigAmi) -> None:
    call, _ = await _dialled(phones, "101", "102", "102")
    await _talk()
    await call.hangup()


async def inbound(phones: Phones, _ami: RigAmi) -> None:
    _, other = await _dialled(phones, "trunk", "5550101", "101", shows="0612345678")
    await _talk()
    await other.hangup()


async def outbound(phones: Phones, _ami: RigAmi) -> None:
    call, _ = await _dialled(phones, "101", "90612345678", "trunk")
    await _talk()
    await call.hangup()


async def cancelled(phones: Phones, _ami: RigAmi) -> None:
    first, second = await phones("101"), await phones("102")
    call = await first.call("102")
    await second.ringing()
    await asyncio.sleep(0.3)
    await call.cancel()


async def busy(phones: Phones, _ami: RigAmi) -> None:
    first, second = await phones("101"), await phones("102")
    call = await first.call("102")
    await (await second.ringing()).reject(486)
    await call.ended()


async def _blind(phones: Phones, sender: Call, kept: Call) -> None:
    third = await phones("103")
    third.auto_answer = 0.3
    await sender.refer("103")
    await (await third.ringing()).up()
    await _talk()
    third.auto_answer = None
    await kept.hangup()


async def blind_by_callee(phones: Phones, _ami: RigAmi) -> None:
    call, other = await _dialled(phones, "101", "102", "102")
    await _talk()
    await phones("103")
    await _blind(phones, other, call)


async def blind_by_caller(phones: Phones, _ami: RigAmi) -> None:
    call, other = await _dialled(phones, "101", "102", "102")
    await _talk()
    await phones("103")
    await _blind(phones, call, other)


async def attended(phones: Phones, _ami: RigAmi) -> None:
    call, other = await _dialled(phones, "101", "102", "102")
    await _talk()
    consulting, _ = await _dialled(phones, "102", "103", "103")
    await _talk()
    await other.refer_replaces(consulting)
    await _talk()
    await call.hangup()


async def ring_group(phones: Phones, _ami: RigAmi) -> None:
    await phones("103")
    call, _ = await _dialled(phones, "101", "601", "102")
    await _talk()
    await call.hangup()


async def queue(phones: Phones, _ami: RigAmi) -> None:
    for number in ("102", "104"):
        await phones(number)
    call, _ = await _dialled(phones, "101", "600", "103")
    await _talk()
    await call.hangup()


async def confbridge(phones: Phones, _ami: RigAmi) -> None:
    calls = []
    for number in ("101", "102", "103"):
        calls.append(await (await phones(number)).call("800"))
        await calls[-1].up()
        await asyncio.sleep(TALK)
    # The first one is told that he is alone, and joins only then.
    await asyncio.sleep(4)
    for call in calls:
        await call.hangup()
        await _talk()


async def local_optimised(phones: Phones, _ami: RigAmi) -> None:
    call, _ = await _dialled(phones, "101", "602", "102")
    await _talk()
    await call.hangup()


async def local_kept(phones: Phones, _ami: RigAmi) -> None:
    call, _ = await _dialled(phones, "101", "603", "102")
    await _talk()
    await call.hangup()


async def originate(phones: Phones, ami: RigAmi) -> None:
    first, second = await phones("101"), await phones("102")
    await ami.action(
        "Originate",
        Channel="PJSIP/101",
        Context="from-phones",
        Exten="102",
        Priority="1",
        CallerID="777",
        Async="true",
    )
    call = await first.ringing()
    await call.answer()
    other = await second.ringing()
    await asyncio.sleep(0.3)
    await other.answer()
    await _talk()
    await call.hangup()


async def pickup(phones: Phones, _ami: RigAmi) -> None:
    first, second, third = await phones("101"), await phones("102"), await phones("104")
    call = await first.call("102")
    await second.ringing()
    await asyncio.sleep(0.3)
    winner = await third.call("*8")
    await winner.up()
    await call.up()
    await _talk()
    await call.hangup()


async def park(phones: Phones, _ami: RigAmi) -> None:
    call, other = await _dialled(phones, "101", "102", "102")
    await _talk()
    await other.refer("700")
    await _talk()
    retriever = await (await phones("103")).call("701")
    await retriever.up()
    await _talk()
    await call.hangup()


async def hold(phones: Phones, _ami: RigAmi) -> None:
    call, other = await _dialled(phones, "101", "102", "102")
    await _talk()
    await other.hold()
    await _talk()
    await other.unhold()
    await _talk()
    await call.hangup()


async def redirect(phones: Phones, ami: RigAmi) -> None:
    call, _ = await _dialled(phones, "101", "102", "102")
    await _talk()
    third = await phones("103")
    third.auto_answer = 0.3
    channel = next(m["Channel"] for m in ami.events if m.get("Event") == "Newchannel")
    await ami.action("Redirect", Channel=channel, Context="from-phones", Exten="103", Priority="1")
    await (await third.ringing()).up()
    await _talk()
    await call.hangup()


Scene = Callable[[Phones, RigAmi], Awaitable[None]]

# Who would record what in it: so that something changes where people change.
SCENES: dict[str, tuple[Scene, str]] = {
    "internal": (internal, "default always"),
    "inbound": (inbound, "default always"),
    "outbound": (outbound, "default always"),
    "cancelled": (cancelled, "default always"),
    "busy": (busy, "default always"),
    "blind-by-callee": (blind_by_callee, "default always"),
    "blind-by-callee-to-never": (blind_by_callee, "default always, 103 never"),
    "blind-by-caller": (blind_by_caller, "default always"),
    "attended": (attended, "default always"),
    "attended-to-never": (attended, "default always, 103 never"),
    "ring-group": (ring_group, "default always"),
    "queue": (queue, "default always"),
    "confbridge": (confbridge, "default always, 103 never"),
    "local-optimised": (local_optimised, "default always"),
    "local-kept": (local_kept, "default always"),
    "originate": (originate, "default always"),
    "pickup": (pickup, "default always"),
    "park": (park, "default always"),
    "hold": (hold, "default always"),
    "redirect": (redirect, "default always"),
}
ON_16 = (
    *("internal", "inbound", "outbound", "pickup", "queue"),
    *("blind-by-callee", "blind-by-caller", "attended"),
)


async def record(version: int, names: list[str]) -> None:
    """A fresh Asterisk for every scene, so that each transcript begins with the first channel."""
    for name in names:
        scene, policy = SCENES[name]
        with tempfile.TemporaryDirectory() as folder:
            asterisk = await asyncio.to_thread(Asterisk.start, version, Path(folder))
            try:
                text = await _one(asterisk, scene)
                built = (await asyncio.to_thread(asterisk.cli, "core show version")).split()[1]
            finally:
                await asyncio.to_thread(asterisk.stop)
        path = FOLDER / f"{name}-{version}.ami"
        day = datetime.now(UTC).date()
        head = f"# {name.replace('-', ' ')}, Asterisk {built.split('~')[0]}, {day}\npolicy: {policy}\n"
        path.write_text(f"{head}{text}{EXPECTED}\n")
        path.write_text(beneath(path))
        print(path.name)


async def _one(asterisk: Asterisk, scene: Scene) -> str:
    async with RigAmi(asterisk.ami_port, asterisk.secret) as ami, Phones(asterisk) as phones:
        await scene(phones, ami)
        await ami.until(lambda: _all_gone(ami.events), "the end of all channels", 20)
        await ami.until(lambda: ami.named("Cdr"), "a Cdr", 5)
        await asyncio.sleep(0.3)
        return "".join(_raw(message) for message in ami.events if message.get("Event") in WANTED)


def _all_gone(events: list[Message]) -> bool:
    made = {m["Uniqueid"] for m in events if m.get("Event") == "Newchannel"}
    gone = {m["Uniqueid"] for m in events if m.get("Event") == "Hangup"}
    return bool(made) and made == gone


def _raw(message: Message) -> str:
    """As it came; `_at` is the rig's own."""
    lines = [f"{name}: {value}" for name, value in message.items() if name != "_at"]
    return "\n".join(lines) + "\n\n"


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--expect"]:
        for name in arguments[1:]:
            Path(name).write_text(beneath(Path(name)))
        return
    versions = [int(word) for word in arguments if word in ("22", "16")] or [22, 16]
    names = [word for word in arguments if word in SCENES]
    for version in versions:
        asyncio.run(record(version, names or list(SCENES if version == 22 else ON_16)))


if __name__ == "__main__":
    main(sys.argv[1:])
