"""Settings, policy, what-if, coverage, status, webhooks: what people change and see of the whole."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from recorderd.core.keeping import KeepState, Kept
from recorderd.core.policy import ExtensionPolicy, Mode
from recorderd.panel import storage
from recorderd.panel.app import build
from recorderd.panel.webhooks import signature
from recorderd.store.abc import RuleRow
from tests.panel.calls import Call
from tests.panel.conftest import NOW, Room, panel_over
from tests.store import sample

RULES = """
rules:
  - name: order line
    when: {callee: "102"}
    mode: never
    reason: because
"""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with panel_over("memory:", tmp_path) as made:
        await made.user("101")
        await made.user("boss", "administrator")
        await made.user("eye", "auditor")
        yield made


@pytest.fixture
async def client(room: Room) -> httpx.AsyncClient:
    return await room.signed_in("101")


@pytest.fixture
async def boss(room: Room) -> httpx.AsyncClient:
    return await room.signed_in("boss")


# --- one's own policy -----------------------------------------------------------------------------


async def test_a_choice_is_kept_and_in_the_trail(room: Room, client: httpx.AsyncClient) -> None:
    before = (await client.get("/api/v1/settings")).json()
    assert (before["by_default"], before["inbound"]) == (True, "never")
    choice = {"inbound": "always", "outbound": "on-demand", "internal_inbound": "never"}
    after = (await client.put("/api/v1/settings", json=choice)).json()
    assert (after["by_default"], after["version"]) == (False, 1)
    [kept] = (await room.store.load_policy()).extensions
    assert (kept.inbound, kept.outbound, kept.internal_inbound, kept.internal_outbound) == (
        Mode.ALWAYS,
        Mode.ON_DEMAND,
        Mode.NEVER,
        None,
    )
    [told] = await room.trail("policy")
    assert told.detail["inbound"] == {"was": "never", "is": "always"}
    assert [row.who for row in await room.store.policy_log()] == ["panel:101"]


async def test_a_locked_value_is_refused_with_the_administrators_reason(
    room: Room, client: httpx.AsyncClient
) -> None:
    locked = ExtensionPolicy(
        extension="101", inbound=Mode.ALWAYS, outbound=Mode.ALWAYS, locked=True, lock_reason="MiFID"
    )
    await room.store.set_extension(locked, "t")
    answer = await client.put("/api/v1/settings", json={"inbound": "never", "outbound": "never"})
    assert answer.status_code == 409
    assert answer.json()["error"]["sentence"] == "The administrator has locked this: MiFID."
    assert (await room.store.load_policy()).extensions == (locked,)
    assert len(await room.trail("refused")) == 1


async def test_somebody_without_a_telephone_has_nothing_to_choose(boss: httpx.AsyncClient) -> None:
    assert (await boss.get("/api/v1/settings")).status_code == 404


# --- extensions and rules -------------------------------------------------------------------------


async def test_many_extensions_are_changed_in_one_version(room: Room, boss: httpx.AsyncClient) -> None:
    change = {"inbound": "always", "locked": True, "lock_reason": "law", "name": "Sales"}
    answer = await boss.patch("/api/v1/extensions", json={"extensions": ["101", "105"], "change": change})
    assert answer.json() == {"version": 1}
    shown = (await boss.get("/api/v1/extensions")).json()
    assert [(e["policy"]["extension"], e["own"], e["name"]) for e in shown] == [
        ("", False, ""),
        ("101", True, "Sales"),
        ("105", True, "Sales"),
    ]
    unlock = {"extensions": ["101"], "change": {"locked": False}}
    await boss.patch("/api/v1/extensions", json=unlock)
    kept = {e.extension: e for e in (await room.store.load_policy()).extensions}
    assert (kept["101"].locked, kept["101"].lock_reason, kept["105"].locked) == (False, "", True)
    assert (await boss.delete("/api/v1/extensions/105")).status_code == 200
    assert (await boss.delete("/api/v1/extensions/105")).status_code == 404


async def test_everything_a_policy_says_outlives_every_kind_of_edit(
    boss: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    told = {"lookback": "whole-call", "announce": "this-call-is-recorded", "beep": 15}
    own = {"inbound": "on-demand", "outbound": "on-demand", **told}
    await boss.patch("/api/v1/extensions", json={"extensions": ["101"], "change": own})

    async def kept() -> dict[str, object]:
        [e] = [e for e in (await boss.get("/api/v1/extensions")).json() if e["policy"]["extension"] == "101"]
        return {key: e["policy"][key] for key in told}

    assert await kept() == told
    await boss.patch("/api/v1/extensions", json={"extensions": ["101"], "change": {"locked": False}})
    await client.put("/api/v1/settings", json={"inbound": "on-demand", "outbound": "never"})
    assert await kept() == told
    text = (await boss.get("/api/v1/policy/csv")).json()["text"]
    await boss.delete("/api/v1/extensions/101")
    await boss.post("/api/v1/policy", json={"text": text, "form": "csv", "replace": True})
    assert await kept() == told
    nothing = {"lookback": "off", "announce": "-", "beep": 0}
    await boss.patch("/api/v1/extensions", json={"extensions": ["101"], "change": nothing})
    assert await kept() == {"lookback": "off", "announce": "", "beep": 0}
    for wrong in ({"lookback": "some"}, {"announce": "../x"}, {"beep": 3}, {"beep": 601}, {"beep": "often"}):
        asked = {"extensions": ["101"], "change": wrong}
        assert (await boss.patch("/api/v1/extensions", json=asked)).status_code == 422, wrong


async def test_everything_a_rule_says_outlives_an_edit_of_the_rules(
    room: Room, boss: httpx.AsyncClient
) -> None:
    body = {"when": {"did": "5550101"}, "mode": "on-demand", "reason": "r", "fail_mode": "closed-before",
            "lookback": "whole-call", "announce": "this-call-is-recorded", "beep": "15"}  # fmt: skip
    await room.store.replace_rules([RuleRow(name="order line", body=body)], "t")
    page = (await boss.get("/admin/rules")).text
    text = html.unescape(re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.S)[0])
    assert "on demand: the whole call, announcement “this-call-is-recorded”, a beep every 15 seconds" in page
    await boss.put("/api/v1/rules", json={"text": text})
    [rule] = (await room.store.load_policy()).rules
    assert dict(rule.body) == body


async def test_a_bulk_edit_with_a_fault_changes_nothing(room: Room, boss: httpx.AsyncClient) -> None:
    wrong = {"extensions": ["101", "a b"], "change": {"inbound": "always"}}
    assert (await boss.patch("/api/v1/extensions", json=wrong)).status_code == 422
    empty = {"extensions": ["101"], "change": {}}
    assert (await boss.patch("/api/v1/extensions", json=empty)).status_code == 422
    assert (await room.store.load_policy()).version == 0


async def test_a_file_is_taken_whole_or_not_at_all(room: Room, boss: httpx.AsyncClient) -> None:
    text = "\ufeffextension;name;inbound;outbound\n101;Анна;always;never\n102;;on-demand;always\n"
    taken = await boss.post("/api/v1/policy", json={"text": text, "form": "csv"})
    assert taken.json() == {"taken": 2}
    wrong = await boss.post("/api/v1/policy", json={"text": text + "103;;sometimes;x\n", "form": "csv"})
    assert wrong.status_code == 422
    assert wrong.json()["error"]["faults"]["file"].count("\n") == 1
    exported = (await boss.get("/api/v1/policy/csv")).json()["text"]
    again = await boss.post("/api/v1/policy", json={"text": exported, "form": "csv", "replace": True})
    assert again.json() == {"taken": 2}
    rows = await room.store.load_policy()
    assert (len(rows.extensions), rows.names["101"], rows.version) == (2, "Анна", 2)


async def test_rules_are_edited_as_text(room: Room, boss: httpx.AsyncClient) -> None:
    assert (await boss.put("/api/v1/rules", json={"text": RULES})).json() == {"version": 1}
    [rule] = (await boss.get("/api/v1/rules")).json()
    assert (rule["name"], rule["body"]["mode"]) == ("order line", "never")
    for wrong in ("rules: [{name: x}]", "- x", "extensions: {}", "rules: ["):
        answer = await boss.put("/api/v1/rules", json={"text": wrong})
        assert answer.status_code == 422, wrong
    assert len((await room.store.load_policy()).rules) == 1


async def test_explain_and_what_if_tell_what_would_be(room: Room, boss: httpx.AsyncClient) -> None:
    await room.store.replace_rules([RuleRow(name="n", body={"mode": "always", "when": {}})], "t")
    for extension in ("101", "103"):
        always = ExtensionPolicy(extension=extension, inbound=Mode.ALWAYS, outbound=Mode.ALWAYS)
        await room.store.set_extension(always, "t")
    for n in range(3):
        await room.keep(*Call(number=n, caller="101", callee="102" if n else "103", ago=600 + n).rows())
    said = (await boss.post("/api/v1/explain", json={"caller": "101", "callee": "102"})).json()
    assert said["mode"] == "always"
    bad = await boss.post("/api/v1/explain", json={"caller": "", "callee": "102", "at": "soon"})
    assert set(bad.json()["error"]["faults"]) == {"caller", "at"}
    what = (await boss.post("/api/v1/what-if", json={"text": RULES})).json()
    assert what["checked"] == 3
    assert what["counts"] == {"always -> never": 2, "always -> always": 1}
    assert {row["destination"] for row in what["changed"]} == {"102"}


async def test_coverage_is_the_proof_with_its_faults(room: Room) -> None:
    call = Call(number=1)
    await room.keep(*call.rows())
    eye = await room.signed_in("eye")
    lost = (await eye.get("/api/v1/coverage")).json()
    assert (lost["proven"], len(lost["lost"])) == (False, 1)
    room.sound(call.recording)
    for since in ("soon", "2020-01-01", "2030-01-01"):
        assert (await eye.get("/api/v1/coverage", params={"since": since})).status_code == 422


async def test_without_the_daemon_status_says_so_and_live_is_unavailable(room: Room) -> None:
    eye = await room.signed_in("eye")
    assert (await eye.get("/api/v1/status")).json()["reachable"] is False
    answer = await eye.get("/api/v1/live")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


async def test_the_question_everyone_asks_has_the_figures_of_the_description(
    client: httpx.AsyncClient,
) -> None:
    report = (await client.get("/api/v1/storage")).json()
    sold = next(f for f in report["formats"] if f["name"] == storage.SOLD)
    # 250 GB: about 19,000 hours, 500 GB: about 40,000, 1 TB: about 80,000.
    assert [round(hours, -3) for hours in sold["hours"].values()] == [20_000, 40_000, 79_000]
    assert (report["recordings"], report["full_at"]) == (0, None)
    assert report["hours_left"] == pytest.approx(report["free"] / report["bytes_per_hour"], rel=0.001)


async def test_the_room_left_is_reckoned_from_what_the_archive_made_and_not_from_what_it_was_made_of(
    room: Room, client: httpx.AsyncClient
) -> None:
    """An hour of WAV, of which an hour of Opus was made, twenty times."""
    hour, opus = 3_600_000, 9_000_000
    for n in range(20):
        at = NOW - n * 86_400.0 - 90_000.0
        await room.store.save([sample.recording(f"r{n}", started_at=at, duration_ms=hour, size=57_600_000)])
        made = Kept(
            recording_id=f"r{n}",
            state=KeepState.KEPT,
            started_at=at,
            folder="2026/11/23",
            name=f"r{n}.opus",
            format="opus",
            duration_ms=hour,
            size=opus,
        )
        await room.store.save([made])
    report = (await client.get("/api/v1/storage")).json()
    assert (report["recordings"], report["seconds"], report["bytes"]) == (20, 20 * 3600, 20 * opus)
    measured = next(f for f in report["formats"] if f["name"] == "opus")
    assert measured["bytes_per_hour"] == opus


async def test_the_trail_is_for_auditors_and_pages(room: Room, client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/audit")).status_code == 403
    eye = await room.signed_in("eye")
    page = (await eye.get("/api/v1/audit", params={"limit": 1})).json()
    assert page["rows"][0]["action"] == "login"
    rest = (await eye.get("/api/v1/audit", params={"cursor": page["older"]})).json()["rows"]
    assert [row["action"] for row in rest] == ["refused", "login"]
    only = (await eye.get("/api/v1/audit", params={"who": "101", "action": "refused"})).json()["rows"]
    assert len(only) == 1


# --- webhooks -------------------------------------------------------------------------------------


class Receiver:
    """Takes what it is told, or refuses; no socket."""

    def __init__(self) -> None:
        self.told: list[httpx.Request] = []
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.told.append(request)
        return httpx.Response(self.status)

    def ids(self) -> list[str]:
        return [json.loads(request.content)["id"] for request in self.told]


async def test_webhooks_hear_of_finished_recordings_and_alarms_once_and_signed(
    room: Room, boss: httpx.AsyncClient
) -> None:
    await room.keep(*Call(number=1).rows())
    wanted = {"url": "https://crm.example.net/hook", "events": ["recording.finished", "alarm"]}
    hook = (await boss.post("/api/v1/webhooks", json=wanted)).json()
    await room.keep(*Call(number=2).rows())
    new, old = (sample.alarm(id, at=room.clock() + at) for id, at in (("a1", 1), ("a0", -60)))
    await room.store.save([new, old])
    hooks, receiver = build(room.config, room.store, room.clock).hooks, Receiver()
    async with httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as out:
        receiver.status = 500
        await hooks.tell(out)
        assert receiver.ids() == ["recording.finished:r2"]
        receiver.status = 204
        room.clock.now += 10
        await hooks.tell(out)
        await hooks.tell(out)
    assert receiver.ids() == ["recording.finished:r2", "recording.finished:r2", "alarm:a1"]
    request = receiver.told[1]
    told = json.loads(request.content)
    assert told["recording"]["duration_ms"] == 30_000
    assert {p["extension"] for p in told["parties"]} == {"101", "102"}
    stamp = request.headers["x-recorderd-timestamp"]
    assert request.headers["x-recorderd-signature"] == (
        f"sha256={signature(hook['secret'], stamp, request.content)}"
    )
    assert "secret" not in (await boss.get("/api/v1/webhooks")).json()[0]
    assert (await boss.delete(f"/api/v1/webhooks/{hook['id']}")).status_code == 204


async def test_a_receiver_that_is_away_holds_up_no_other(room: Room, boss: httpx.AsyncClient) -> None:
    for host in ("a", "b"):
        wanted = {"url": f"http://{host}.example.net/", "events": ["recording.finished"]}
        await boss.post("/api/v1/webhooks", json=wanted)
    await room.keep(*Call(number=2).rows())
    hooks, told = build(room.config, room.store, room.clock).hooks, []

    def receive(request: httpx.Request) -> httpx.Response:
        if request.url.host.startswith("a"):
            raise httpx.ConnectError("no route")
        told.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(receive)) as out:
        await asyncio.wait_for(hooks.tell(out), 5)
    assert len(told) == 1
    errors = {h["url"]: h["last_error"] for h in (await boss.get("/api/v1/webhooks")).json()}
    assert errors == {"http://a.example.net/": "no route", "http://b.example.net/": ""}


@pytest.mark.parametrize("url", ["ftp://x", "http://", "javascript:x", "http://a b", "http://x:99999/", "x"])
async def test_an_address_that_is_none_is_refused(boss: httpx.AsyncClient, url: str) -> None:
    answer = await boss.post("/api/v1/webhooks", json={"url": url, "events": ["alarm"]})
    assert answer.status_code == 422
