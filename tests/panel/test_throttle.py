"""Who has to wait: those who guess, not those who work in one house; and a restart does not help."""

from __future__ import annotations

import asyncio
from pathlib import Path

from recorderd.panel.throttle import Throttle
from recorderd.store import open_store
from tests.panel.conftest import Clock, panel_over
from tests.panel.test_getting_in import try_in


def throttle(clock: Clock) -> Throttle:
    return Throttle(open_store("memory:").panel, clock)


async def test_the_wait_doubles_is_bounded_and_is_forgotten() -> None:
    clock = Clock()
    door = throttle(clock)
    waits = []
    for n in range(12):
        waits.append(wait := await door.attempt("102", f"c{n}"))
        if wait:
            clock.now += wait
            assert await door.attempt("102", f"d{n}") == 0
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60]
    clock.now += 3601
    assert [await door.attempt("102", "e") for _ in range(6)] == [0, 0, 0, 0, 0, 1]


async def test_an_address_that_guesses_waits_for_a_quarter_of_an_hour_in_the_end() -> None:
    clock = Clock()
    door = throttle(clock)
    longest = 0
    for n in range(40):
        while wait := await door.attempt(str(n), "a"):
            longest = max(longest, wait)
            clock.now += wait
    assert longest == 900
    assert await door.attempt("x", "a") == 900
    assert await door.attempt("x", "b") == 0


async def test_a_clock_that_was_put_back_makes_nobody_wait_longer() -> None:
    clock = Clock()
    door = throttle(clock)
    for _ in range(6):
        await door.attempt("101", "a")
    clock.now -= 86_400
    assert await door.attempt("101", "b") == 1


async def test_many_at_once_are_not_one_try() -> None:
    door = throttle(Clock())
    waits = await asyncio.gather(*(door.attempt("101", f"a{n}") for n in range(12)))
    assert sum(wait == 0 for wait in waits) == 5


async def test_an_office_behind_one_address_is_not_locked_out_by_its_own_logins() -> None:
    door = throttle(Clock())
    for n in range(200):
        assert await door.attempt(str(n), "office") == 0
        await door.succeeded(str(n), "office")


async def test_one_right_guess_does_not_forgive_an_address_its_wrong_ones() -> None:
    clock = Clock()
    door = throttle(clock)
    for n in range(21):
        while wait := await door.attempt(str(n), "a"):
            clock.now += wait
    await door.succeeded("20", "a")
    assert await door.attempt("new", "a") > 0


async def test_a_restart_forgives_nobody_and_no_login_is_kept_in_words(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/panel.db"
    async with panel_over(url, tmp_path) as room:
        await room.user("101")
        for _ in range(5):
            assert (await try_in(room.visitor(), "101", "wrong")).status_code == 403
        assert (await try_in(room.visitor(), "my secret typed in the wrong field", "x")).status_code == 403
    async with panel_over(url, tmp_path) as room:
        slow = await try_in(room.visitor("198.51.100.7"), "101", "wrong")
        assert (slow.status_code, slow.headers["retry-after"]) == (429, "1")
    assert b"typed in the wrong field" not in _kept(tmp_path)


def _kept(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("panel.db*"))
