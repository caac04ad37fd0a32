"""From a CDR row to the voices of its parties: by the rule of FreePBX, and by our own tables.

All calls of the file are played first and together; Asterisk's own table is then read row by row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from recorderd.core.rows import Outcome
from tests.live import ears
from tests.live.phone import Phones
from tests.live.scene import Scene, hang_up, scene, talk

pytestmark = pytest.mark.live

_EXTENSIONS = [str(number) for number in range(101, 117)]
_TRUNKS_VOICE = 7


@dataclass
class Played:
    """The house, after its calls."""

    house: Scene
    cdrs: list[dict[str, str]]


@pytest.fixture(scope="module", params=[22, 16])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("linkage")
    table = folder / "asterisk" / "log" / "master.db"
    source = {"source": f"sqlite:///{table}", "writable": True}
    with scene(request.param, folder, dict.fromkeys(_EXTENSIONS, "always"), daemon={"cdr": source}) as house:
        asyncio.run(_play(house))
        yield Played(house, house.asterisk.cdrs())


async def _play(house: Scene) -> None:
    async with house.take(), house.phones() as phones:
        for number in [*_EXTENSIONS, "trunk"]:
            await phones(number)
        await asyncio.gather(
            _simple(phones, "105", "106"),
            _simple(phones, "105", "trunk", "90612345678"),
            _ring_group(phones),
            _blind_transfer_by_callee(phones, "107", "109", "110"),
            _blind_transfer_by_caller(phones, "111", "112", "113"),
            _attended_transfer(phones, "114", "115", "116"),
        )
        await _simple(phones, "trunk", "106", "5550106")
        await asyncio.gather(
            _simple(phones, "101", "102", "602"),
            _simple(phones, "104", "103", "103"),
        )
        await _simple(phones, "101", "102", "603")
        await _queue(phones)


async def _simple(phones: Phones, caller: str, callee: str, number: str = "") -> None:
    await talk(phones, await phones(caller), await phones(callee), 1.0, number)


async def _ring_group(phones: Phones) -> None:
    loser = await phones("102")
    call = await (await phones("101")).call("601")
    lost, won = await loser.ringing(), await (await phones("103")).ringing()
    await won.answer()
    await lost.ended()
    await asyncio.sleep(1.0)
    await hang_up(call, won)


async def _queue(phones: Phones) -> None:
    """102, 103 and 104 ring; 104 answers."""
    call = await (await phones("101")).call("600")
    ringing = [await (await phones(number)).ringing() for number in ("102", "103", "104")]
    await ringing[2].answer()
    for other in ringing[:2]:
        await other.ended()
    await asyncio.sleep(1.0)
    await hang_up(call, ringing[2])


async def _blind_transfer_by_callee(phones: Phones, caller: str, callee: str, target: str) -> None:
    third = await phones(target)
    call, other = await phones.connect(await phones(caller), await phones(callee))
    await asyncio.sleep(0.8)
    transfer = asyncio.create_task(other.refer(target))
    new = await third.ringing()
    await new.answer()
    await transfer
    await asyncio.sleep(0.8)
    await hang_up(call, new)


async def _blind_transfer_by_caller(phones: Phones, caller: str, callee: str, target: str) -> None:
    third = await phones(target)
    call, other = await phones.connect(await phones(caller), await phones(callee))
    await asyncio.sleep(0.8)
    transfer = asyncio.create_task(call.refer(target))
    new = await third.ringing()
    await new.answer()
    await transfer
    await asyncio.sleep(0.8)
    await hang_up(other, new)


async def _attended_transfer(phones: Phones, caller: str, callee: str, target: str) -> None:
    call, other = await phones.connect(await phones(caller), await phones(callee))
    await asyncio.sleep(0.8)
    consultation, new = await phones.connect(await phones(callee), await phones(target))
    await asyncio.sleep(0.8)
    await other.refer_replaces(consultation)
    await asyncio.sleep(0.8)
    await hang_up(call, new)


def _voices(row: dict[str, str]) -> set[int]:
    """Those of the row's own two telephones, where they are telephones."""
    devices = [row[side].rpartition("-")[0] for side in ("channel", "dstchannel")]
    numbers = [device.removeprefix("PJSIP/") for device in devices if device.startswith("PJSIP/")]
    return {_TRUNKS_VOICE if number == "trunk" else (int(number) - 101) % 8 for number in numbers}


def _answered(played: Played) -> list[dict[str, str]]:
    return [row for row in played.cdrs if row["disposition"] == "ANSWERED"]


def test_each_answered_row_names_a_file_with_the_voices_of_its_parties(played: Played) -> None:
    """Rows that Asterisk left empty (transfers, Local legs) were completed in its table afterwards."""
    assert len(_answered(played)) >= 12
    for row in _answered(played):
        assert row["recordingfile"], row
        file = played.house.opened(row["recordingfile"])
        assert file.is_file(), row
        assert file.stat().st_size > 44, row
        assert _voices(row) <= ears.audible(file), row


def test_rows_that_nobody_answered_name_no_file(played: Played) -> None:
    unanswered = [row for row in played.cdrs if row["disposition"] != "ANSWERED"]
    assert unanswered, "the ring group's loser has a row"
    assert {row["recordingfile"] for row in unanswered} == {""}


async def test_every_file_is_found_from_a_row_through_our_tables(played: Played) -> None:
    recordings = {row.id: row for row in await played.house.daemon.recordings()}
    links = await played.house.daemon.links()
    keys = {(row["uniqueid"], row["sequence"]) for row in _answered(played)}
    assert {link.recording_id for link in links} == recordings.keys()
    assert keys <= {(link.uniqueid, str(link.sequence)) for link in links}
    assert {played.house.daemon.path(row) for row in recordings.values()} == set(played.house.files())


async def test_it_is_proven(played: Played) -> None:
    coverage = await played.house.proof(stuttering=True)
    assert set(coverage.outcomes) <= {Outcome.RECORDED, Outcome.PARTIAL, Outcome.NO_CONVERSATION}


async def test_a_call_made_while_recorderd_was_down_is_a_fault_that_it_finds_itself(played: Played) -> None:
    """Asterisk's own table tells of it: it was to be recorded, and nobody was there to do so."""
    house = played.house
    before = {row.id for row in await house.daemon.intervals()}
    await house.daemon.stop()
    async with house.phones() as phones:
        await talk(phones, await phones("105"), await phones("106"), 1.0)
    await house.daemon.start()
    await house.daemon.quiet()
    [found] = [row for row in await house.daemon.intervals() if row.id not in before]
    assert found.outcome is Outcome.NOT_RECORDED
    assert [party.extension for party in found.parties] == ["105", "106"]
    assert (await house.daemon.coverage()).unaccounted == ()
