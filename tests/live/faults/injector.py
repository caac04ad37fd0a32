"""Everything that may break around recorderd, and how it is broken and mended.

Owns the table of faults. Each fault breaks one thing, holds it broken for a random while and mends it; what
came of it is judged elsewhere. All chance comes from one seed.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from recorderd.errors import ControlError
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd, until
from tests.live.faults.disk import Disk
from tests.live.faults.load import Load
from tests.live.faults.proxy import Proxy
from tests.postgres import Cluster


@dataclass
class House:
    """What can be broken."""

    asterisk: Asterisk
    daemon: Recorderd
    proxy: Proxy
    disk: Disk
    cluster: Cluster
    load: Load
    clock: Path
    chance: random.Random

    async def pbx_down(self) -> None:
        """No telephone tries to call."""
        self.load.pbx.clear()

    async def pbx_up(self) -> None:
        await asyncio.to_thread(self.asterisk.boot)
        self.load.pbx.set()


Step = Callable[[House], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """`break_` and `mend`; `hold` is for how long it stays broken, in seconds, least and most.

    `takes_unwritten`: what Asterisk had not yet written when it broke may be lost too, though it was said before.
    """

    name: str
    break_: Step
    mend: Step
    hold: tuple[float, float]
    what: str
    takes_unwritten: bool = False


@dataclass
class Injected:
    """One fault as it was: broken at `began`, mended at `ended`, all well again at `well` (0: never).

    What is lost after `until` is the next one's.
    """

    fault: Fault
    began: float
    ended: float = 0.0
    well: float = 0.0
    until: float = field(default=float("inf"))


async def inject(
    house: House, faults: Iterable[Fault], gap: tuple[float, float], patience: float
) -> list[Injected]:
    """Break and mend one thing after the other, with random pauses between."""
    done: list[Injected] = []
    for fault in faults:
        await asyncio.sleep(house.chance.uniform(*gap))
        one = Injected(fault, time.time())
        if done:
            # Words of before that are lost to this one are not lost to the one before it.
            done[-1].until = one.began - (_UNWRITTEN if fault.takes_unwritten else 0.0)
        done.append(one)
        await fault.break_(house)
        await asyncio.sleep(house.chance.uniform(*fault.hold))
        await fault.mend(house)
        one.ended = time.time()
        with suppress(AssertionError, TimeoutError, Exception):
            await until(lambda: _well(house), f"well again after {fault.name}", patience)
            one.well = time.time()
        print(
            f"{fault.name}: {one.ended - one.began:.2f} s, well after {one.well - one.ended:.2f} s",
            flush=True,
        )
    return done


async def _well(house: House) -> bool:
    """It hears Asterisk, and no row waits for the database."""
    try:
        status = await asyncio.to_thread(house.daemon.control.status)
    except ControlError:
        return False
    return bool(
        status["asterisk"]["connected"] and not status["store"]["away"] and not status["store"]["journal"]
    )


# --- the faults --------------------------------------------------------------------------------


async def _nothing(_house: House) -> None:
    return


async def _kill(house: House) -> None:
    house.daemon.kill()


async def _respawn(house: House) -> None:
    house.daemon._spawn()


async def _freeze_daemon(house: House) -> None:
    house.daemon.pause()


async def _thaw_daemon(house: House) -> None:
    house.daemon.go_on()


def _clerk(number: signal.Signals) -> Step:
    async def step(house: House) -> None:
        house.daemon.to_clerk(number)

    return step


def _link(order: str) -> Step:
    async def step(house: House) -> None:
        await asyncio.to_thread(house.proxy.order, order)

    return step


def _slow(least: float, most: float) -> Step:
    async def step(house: House) -> None:
        await asyncio.to_thread(house.proxy.order, f"slow {house.chance.uniform(least, most):.3f}")

    return step


async def _core_reload(house: House) -> None:
    await asyncio.to_thread(house.asterisk.cli, "core reload")


async def _stop_asterisk(house: House) -> None:
    await house.pbx_down()
    await asyncio.to_thread(house.asterisk.stop)


async def _kill_asterisk(house: House) -> None:
    await house.pbx_down()
    await asyncio.to_thread(house.asterisk.kill)


async def _boot_asterisk(house: House) -> None:
    await house.pbx_up()


async def _stop_database(house: House) -> None:
    await asyncio.to_thread(house.cluster.stop, "immediate")


async def _start_database(house: House) -> None:
    await asyncio.to_thread(house.cluster.start)


def _disk(deed: str) -> Step:
    async def step(house: House) -> None:
        await asyncio.to_thread(getattr(house.disk, deed))

    return step


def _clock(low: float, high: float) -> Step:
    async def step(house: House) -> None:
        house.clock.write_text(f"{house.chance.uniform(low, high):+.3f}")

    return step


# Seconds of sound that Asterisk holds at most before it writes them.
_UNWRITTEN = 2.1

FAULTS = (
    Fault("daemon killed", _kill, _respawn, (0.0, 2.5), "kill -9, started again by the service manager"),
    Fault("daemon stopped", _freeze_daemon, _thaw_daemon, (0.3, 2.5), "SIGSTOP, as on a machine that swaps"),
    Fault(
        "clerk killed",
        _clerk(signal.SIGKILL),
        _nothing,
        (0.0, 0.0),
        "kill -9 of the process that stores rows",
    ),
    Fault("clerk stopped", _clerk(signal.SIGSTOP), _clerk(signal.SIGCONT), (0.3, 5.0), "SIGSTOP of it"),
    Fault("link reset", _link("cut"), _nothing, (0.0, 0.0), "every AMI connection gets an RST"),
    Fault(
        "link refused", _link("refuse"), _link("pass"), (0.5, 3.0), "an RST, and nobody listens for a while"
    ),
    Fault(
        "link silent", _link("hole"), _link("cut"), (0.5, 6.0), "half-open: nothing passes, nobody is told"
    ),
    Fault("link slow", _slow(0.1, 0.9), _link("pass"), (1.0, 4.0), "every chunk comes late, both ways"),
    Fault("core reload", _core_reload, _nothing, (0.2, 1.0), "`core reload` in Asterisk"),
    Fault(
        "Asterisk stopped", _stop_asterisk, _boot_asterisk, (0.0, 1.0), "`core stop now`, and started again"
    ),
    Fault("Asterisk killed", _kill_asterisk, _boot_asterisk, (0.0, 1.0), "kill -9, and started again", True),
    Fault("database stopped", _stop_database, _start_database, (0.3, 5.0), "PostgreSQL stopped at once"),
    Fault("disk full", _disk("fill"), _disk("empty"), (1.0, 5.0), "no byte left where the lanes are", True),
    Fault("disk frozen", _disk("freeze"), _disk("thaw"), (0.5, 6.0), "fsfreeze: whoever writes waits", True),
    Fault(
        "disk gone",
        _disk("cover"),
        _disk("uncover"),
        (0.5, 4.0),
        "another, read-only, file system in its place",
        True,
    ),
    Fault(
        "clock stepped", _clock(-3600, 3600), _clock(0, 0), (0.5, 3.0), "the daemon's clock is an hour off"
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


def chosen(names: Iterable[str], count: int, chance: random.Random) -> list[Fault]:
    """`count` faults, each of these names as often as the others, in a random order."""
    each = [BY_NAME[name] for name in names]
    rounds = [chance.sample(each, len(each)) for _ in range(count // len(each) + 1)]
    return [fault for one in rounds for fault in one][:count]
