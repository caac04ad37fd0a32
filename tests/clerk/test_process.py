"""The process that stores rows: whatever becomes of it, every row is stored and everybody hears."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recorderd.clerk.process import ClerkProcess
from recorderd.config import Config, load
from recorderd.core.policy import Policy
from recorderd.errors import StoreError
from recorderd.store import open_store
from recorderd.store.abc import RowRefused, Store
from recorderd.store.journal import Journal
from tests.live.daemon import until
from tests.store import sample

BEGIN = """
import asyncio, pathlib, sys
from recorderd.clerk.process import ClerkProcess
from recorderd.config import load
from recorderd.core.policy import Policy

async def main():
    clerk = ClerkProcess(load(pathlib.Path(sys.argv[1])), Policy, asyncio.Event().wait, print)
    task = asyncio.create_task(clerk.run())
    await clerk.migrate()
    print(clerk.pid, flush=True)
    await task

asyncio.run(main())
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "recorderd.yaml"
    path.write_text(
        "asterisk: {username: recorderd, secret: secret-secret}\n"
        f"state: {tmp_path}\n"
        f"store: {{url: 'sqlite:///{tmp_path}/recorderd.db'}}\n"
        f"spool: {{monitor: {tmp_path}/monitor, lanes: {tmp_path}/lanes}}\n"
    )
    path.chmod(0o600)
    return load(path)


class House:
    """A journal whose rows a clerk's process stores, as the daemon has it."""

    def __init__(self, config: Config, store: Store, **settings: float) -> None:
        self.store = store
        self.told: list[tuple[str, str]] = []
        self.clerk = ClerkProcess(
            config, Policy, self.caught_up, lambda *said: self.told.append(said), **settings
        )
        self.journal = Journal(
            config.state / "journal", self.clerk, tell=lambda *said: self.told.append(said)
        )

    async def caught_up(self) -> None:
        await self.journal.catch_up()

    async def pid(self) -> int:
        """Of a clerk at work."""
        await until(lambda: self.clerk.pid is not None, "a clerk is there")
        assert self.clerk.pid is not None
        return self.clerk.pid

    async def stored(self) -> list[str]:
        return [talk.id for talk in await self.store.conversations()]


@contextlib.asynccontextmanager
async def at_work(config: Config, **settings: float) -> AsyncIterator[House]:
    store = open_store(config.store.url)
    house = House(config, store, **settings)
    tasks = [asyncio.create_task(work()) for work in (house.clerk.run, house.journal.run)]
    await house.clerk.migrate()
    yield house
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    house.journal.close()
    await store.close()


@pytest.fixture
async def house(config: Config) -> AsyncIterator[House]:
    async with at_work(config) as house:
        yield house


def talk(number: int) -> list[sample.rows.Row]:
    """A call's last rows and its CDR, just now."""
    now, uniqueid = float(int(time.time())), f"{number}.1"
    party = sample.party("101", uniqueid)
    times = {"started_at": now - 50, "ended_at": now - 10}
    return [
        sample.conversation(f"c{number}", linkedids=(uniqueid,), **times),
        sample.interval(
            f"i{number}", conversation_id=f"c{number}", recording_id=f"r{number}", parties=(party,), **times
        ),
        sample.cdr(
            uniqueid,
            linkedid=uniqueid,
            channel=party.channel,
            start=now - 51,
            answer=now - 50,
            end=now - 10,
        ),
    ]


async def test_rows_are_stored_linked_and_listed(house: House) -> None:
    for row in talk(1):
        house.journal.write(row)

    async def linked() -> bool:
        return [link.recording_id for link in await house.store.links()] == ["r1"]

    async def listed() -> bool:
        return await house.store.panel.newest_entry() is not None

    await until(linked, "the CDR has its link")
    await until(listed, "the call is in the list")
    assert house.told == []


async def test_a_clerk_killed_again_and_again_loses_nothing_and_is_told_of(house: House) -> None:
    for number in range(60):
        for row in talk(number):
            house.journal.write(row)
        if number % 20 == 10:
            os.kill(await house.pid(), signal.SIGKILL)
        await asyncio.sleep(0.05)
    assert await house.journal.drain(15)
    assert sorted(await house.stored()) == sorted(f"c{number}" for number in range(60))

    async def linked() -> bool:
        return len(await house.store.links()) == 60

    await until(linked, "every CDR has its link")
    assert [kind for kind, _ in house.told] == ["clerk"], "once, as it ended again at once"


async def test_a_clerk_that_says_nothing_any_more_is_replaced(config: Config) -> None:
    async with at_work(config, silent_seconds=4.0) as house:
        first = await house.pid()
        os.kill(first, signal.SIGSTOP)
        house.journal.write(sample.conversation("c1"))
        assert await house.journal.drain(30)
        assert await house.stored() == ["c1"]
        assert await house.pid() != first
        assert any("says nothing any more" in sentence for _, sentence in house.told)


async def test_a_clerk_that_never_comes_up_is_told_of_once_and_the_journal_keeps_the_rows(
    config: Config,
) -> None:
    told: list[tuple[str, str]] = []
    clerk = ClerkProcess(
        config, Policy, asyncio.Event().wait, lambda *said: told.append(said), worker=("false",)
    )
    task = asyncio.create_task(clerk.run())
    with pytest.raises(StoreError, match=r"ended 3 times|does not come up"):
        await clerk.save([sample.conversation("c1")])
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [kind for kind, _ in told] == ["clerk"]


async def test_a_row_that_the_database_refuses_is_told_as_such(house: House) -> None:
    with pytest.raises(RowRefused):
        await house.clerk.save([sample.cdr("1.1", duration=1 << 70)])
    await house.clerk.save(talk(1))
    assert await house.stored() == ["c1"]


async def test_what_it_logs_is_in_the_daemons_log(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "alembic"):
        async with at_work(config):
            await until(lambda: "Context impl SQLiteImpl." in caplog.messages, "its log")


async def test_it_is_gone_when_the_daemon_is_killed_and_no_signal_to_both_ends_it_early(
    config: Config,
) -> None:
    daemon = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BEGIN, str(config.path)),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert daemon.stdout is not None
        pid = int(await daemon.stdout.readline())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(pid, number)
        await asyncio.sleep(0.3)
        os.kill(pid, 0)
    finally:
        daemon.kill()
        await daemon.wait()

    def gone() -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return False
        return True

    await until(gone, "the clerk has ended")
