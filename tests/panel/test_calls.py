"""The list of calls as people ask for it, over the API, on every back end."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorderd.core.policy import ExtensionPolicy, Mode
from recorderd.core.rows import Mark
from tests.panel.calls import Call
from tests.panel.conftest import NOW, Room, panel_over
from tests.store.conftest import BACKENDS, Maker, cluster, migrated_database, migrated_file, migrated_url

__all__ = ["cluster", "migrated_database", "migrated_file", "migrated_url"]


@pytest.fixture(params=BACKENDS)
async def room(request: pytest.FixtureRequest, migrated_url: Maker, tmp_path: Path) -> AsyncIterator[Room]:
    async with panel_over(migrated_url(request.param), tmp_path) as made:
        for call in CALLS:
            await made.keep(*call.rows())
        for login, role in (("101", "user"), ("104", "user"), ("boss", "administrator")):
            await made.user(login, role)
        await made.user("lead", "supervisor", scope=("104", "@sales"))
        yield made


CALLS = (
    Call(number=1, caller="101", callee="107", ago=90_000, talk=90),
    Call(number=2, caller="101", callee="107", ago=7200, talk=30),
    Call(number=3, caller="107", callee="101", ago=3600, talk=75, recorded=False, mode="never"),
    Call(number=4, caller="+74951234567", callee="101", ago=1800, talk=20, name="Иван Петров"),
    Call(number=5, caller="102", callee="101", ago=900, talk=0),
    Call(number=6, caller="103", callee="104", ago=600, talk=10, mode="on-demand"),
)


async def ids(client: Any, **query: str) -> list[int]:
    answer = await client.get("/api/v1/calls", params=query)
    assert answer.status_code == 200, answer.text
    return [int(row["story_id"].rpartition(".")[2]) for row in answer.json()["rows"]]


# What is typed, and the calls that it finds.
FOUND = {
    "": [5, 4, 3, 2, 1],
    "107": [3, 2, 1],
    "107 >60s": [3, 1],
    "107 duration>60": [3, 1],
    "107 >60s recorded": [1],
    "today": [5, 4, 3, 2],
    "yesterday": [1],
    "in": [5, 4, 3],
    "out": [2, 1],
    "missed": [5],
    "иван": [4],
    "сидоров": [3, 2, 1],
    "4951234": [4],
    "unrecorded": [5, 3],
    "' or 1 --": [],
}


async def test_a_person_finds_his_calls(room: Room) -> None:
    # Whose extension 107 is, is known by the name that the administrator gave it.
    policy = ExtensionPolicy(extension="107", inbound=Mode.NEVER, outbound=Mode.NEVER)
    await room.store.set_extension(policy, "t", "Сидоров")
    client = await room.signed_in("101")
    assert {line: await ids(client, q=line) for line in FOUND} == FOUND


async def test_everybody_sees_what_is_in_his_scope(room: Room) -> None:
    assert await ids(await room.signed_in("104")) == [6]
    assert await ids(await room.signed_in("lead")) == [6, 5]
    assert await ids(await room.signed_in("boss")) == [6, 5, 4, 3, 2, 1]
    assert await ids(await room.signed_in("boss"), extension="107") == [3, 2, 1]
    assert await ids(await room.signed_in("lead"), extension="102") == [5]


async def test_somebody_elses_list_is_refused_and_the_try_is_in_the_trail(room: Room) -> None:
    answer = await (await room.signed_in("101")).get("/api/v1/calls", params={"extension": "104"})
    assert answer.status_code == 403
    [refused] = await room.trail("refused")
    assert (refused.who, refused.object) == ("101", "104")


async def test_pages_lead_down_and_up_again(room: Room) -> None:
    client = await room.signed_in("boss")
    first = (await client.get("/api/v1/calls", params={"limit": 4})).json()
    assert (len(first["rows"]), first["newer"]) == (4, None)
    second = (await client.get("/api/v1/calls", params={"limit": 4, "cursor": first["older"]})).json()
    assert (len(second["rows"]), second["older"]) == (2, None)
    back = (await client.get("/api/v1/calls", params={"limit": 4, "cursor": second["newer"]})).json()
    assert back["rows"] == first["rows"]


async def test_a_cursor_that_is_none_is_the_first_page(room: Room) -> None:
    client = await room.signed_in("101")
    for cursor in ("", "x", "o", "oAAAA", "n!!!", "o" + "A" * 399, "омск"):
        assert await ids(client, cursor=cursor) == [5, 4, 3, 2, 1], cursor


async def test_a_faulty_filter_is_told_in_a_sentence(room: Room) -> None:
    client = await room.signed_in("101")
    answer = await client.get("/api/v1/calls", params={"q": "107 >soon"})
    assert answer.status_code == 422
    assert answer.json()["error"]["faults"] == {
        ">soon": "“>soon” is not a length of talk such as >60s or <5m."
    }
    russian = await client.get("/api/v1/calls", params={"q": ">soon"}, headers={"Accept-Language": "ru"})
    assert russian.status_code == 422


async def test_a_row_has_the_columns_of_the_description(room: Room) -> None:
    client = await room.signed_in("101")
    rows = (await client.get("/api/v1/calls", params={"q": "иван"})).json()["rows"]
    assert len(rows) == 1
    row = rows[0]
    expected = {
        "started_at": NOW - 1800,
        "caller_number": "+74951234567",
        "caller_extension": "",
        "caller_name": "Иван Петров",
        "source": "+74951234567",
        "destination": "101",
        "talk_s": 20,
        "mode": "always",
        "result": "answered",
        "way": "in",
        "recordings": ["r4"],
        "recorded": True,
    }
    assert {name: row[name] for name in expected} == expected


async def test_a_call_opens_into_parts_sounds_marks_and_legs(room: Room) -> None:
    call = CALLS[1]
    await room.store.save(
        [Mark(id="m", conversation_id="c2", at=call.start + 12, kind="paused", who="101", text="x")]
    )
    room.sound(call.recording)
    client = await room.signed_in("101")
    opened = (await client.get(f"/api/v1/calls/{call.linkedid}")).json()
    [part] = opened["parts"]
    assert (part["sound_id"], part["offset_ms"], part["trace"]) == ("r2", 0, ["101 chose always: wins"])
    [sound] = opened["sounds"]
    assert (sound["state"], sound["may_play"], sound["may_delete"]) == ("ready", True, False)
    assert sound["file_name"].endswith("101 - 107.wav")
    [mark] = opened["marks"]
    assert (mark["kind"], mark["sound_id"], mark["offset_ms"]) == ("paused", "r2", 10_000)
    assert [leg["talk_s"] for leg in opened["legs"]] == [30]


async def test_who_comes_and_goes_in_a_talk_is_a_time_mark_in_its_recording(room: Room) -> None:
    """A call is transferred, a third joins, and one leaves."""
    call = CALLS[1]
    one, two = call.party(call.caller, 0), call.party(call.callee, 1)
    third = replace(two, uniqueid="9.9", channel="PJSIP/103-9", extension="103", number="103")
    people = ((one, two), (one, third), (one, two, third), (two, third))
    [interval] = await room.store.intervals(conversation_id=f"c{call.number}")
    started = interval.started_at
    await room.store.save(
        [
            replace(
                interval,
                id=interval.id if n == 0 else f"{interval.id}-{n}",
                parties=parties,
                started_at=started + 5 * n,
                ended_at=started + 5 * n + 5,
                offset_ms=5000 * n,
            )
            for n, parties in enumerate(people)
        ]
    )
    room.sound(call.recording)
    told = {}
    for login in ("boss", "101"):
        client = await room.signed_in(login)
        marks = (await client.get(f"/api/v1/calls/{call.linkedid}")).json()["marks"]
        told[login] = [(m["kind"], m["who"], m["sound_id"], m["offset_ms"]) for m in marks]
    his = [("transfer", "103", "r2", 5000), ("join", "107", "r2", 10_000)]
    assert told == {"boss": [*his, ("leave", "101", "r2", 15_000)], "101": his}


async def test_a_call_of_others_is_not_there(room: Room) -> None:
    client = await room.signed_in("101")
    for id in (CALLS[5].linkedid, "1.1", "..", "%2e%2e", "x" * 150):
        assert (await client.get(f"/api/v1/calls/{id}")).status_code in (404, 405)
    assert [row.object for row in await room.trail("refused")] == [CALLS[5].linkedid]


async def test_the_list_comes_as_a_file_that_no_spreadsheet_obeys(room: Room) -> None:
    evil = Call(number=9, caller="+7999", callee="101", ago=100, talk=5, name='=cmd|"/c calc"!A1')
    await room.keep(*evil.rows())
    client = await room.signed_in("101")
    answer = await client.get("/api/v1/calls.csv", params={"q": "7999"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    heading, row = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert heading[:4] == ["Date", "Time", "Caller's number", "Internal number"]
    assert row[2] == "+7999"
    assert row[4].startswith("'=cmd")
    assert [line.object for line in await room.trail("export")] == ["calls"]


async def test_a_rare_filter_says_how_far_it_has_looked(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recorderd.panel.calls._BUDGET", 2)
    monkeypatch.setattr("recorderd.panel.calls._LEAST_BUDGET", 2)
    client = await room.signed_in("101")
    page = (await client.get("/api/v1/calls", params={"q": ">80"})).json()
    assert (page["rows"], page["searched_to"]) == ([], CALLS[3].start)
    for _turn in range(2):
        page = (await client.get("/api/v1/calls", params={"q": ">80", "cursor": page["older"]})).json()
    assert [row["story_id"] for row in page["rows"]] == [CALLS[0].linkedid]
