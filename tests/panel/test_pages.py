"""What the pages do when their buttons are pressed, as a browser without a script sends it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.panel.conftest import Room, panel_over


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with panel_over("memory:", tmp_path) as made:
        await made.user("101")
        await made.user("boss", "administrator")
        yield made


async def press(
    client: httpx.AsyncClient, page: str, fields: Mapping[str, Any], path: str = ""
) -> httpx.Response:
    """Fill in the form of a page and send it; where it leads to somewhere, what stands there."""
    found = re.search(r'name="csrf" content="([^"]+)"', (await client.get(page)).text)
    assert found
    client.headers.pop("X-CSRF-Token", None)
    answer = await client.post(path or page, data={"csrf": found[1], **fields})
    if answer.status_code == 303:
        return await client.get(answer.headers["location"])
    return answer


def secret(answer: httpx.Response) -> str:
    """What is shown this once."""
    found = re.search(r"<code>([^<]+)</code>", answer.text)
    assert found, answer.text
    return found[1]


async def test_a_key_made_on_the_page_opens_the_api_until_it_is_taken_back(room: Room) -> None:
    client = await room.signed_in("101")
    made = await press(client, "/settings/tokens", {"name": "crm", "days": "30", "scopes": ["list", "play"]})
    key = secret(made)
    machine = room.visitor()
    machine.headers["Authorization"] = f"Bearer {key}"
    assert (await machine.get("/api/v1/calls")).status_code == 200
    again = await client.get("/settings/tokens")
    assert key not in again.text, "it was shown once"
    [token] = await room.store.panel.tokens("101")
    assert token.until == room.clock() + 30 * 86_400
    await press(client, "/settings/tokens", {}, f"/settings/tokens/{token.id}/revoke")
    assert (await machine.get("/api/v1/calls")).status_code == 401


@pytest.mark.parametrize("days", ["0", "-1", "soon", "3651", "9" * 30, "1.5"])
async def test_a_key_that_was_to_end_some_day_is_not_made_without_an_end(room: Room, days: str) -> None:
    client = await room.signed_in("101")
    answer = await press(client, "/settings/tokens", {"name": "crm", "days": days, "scopes": ["list"]})
    assert answer.status_code == 422
    assert "A token lasts from 1 to 3650 days" in answer.text
    assert await room.store.panel.tokens("101") == []


async def test_a_webhook_is_added_with_its_secret_and_removed(room: Room) -> None:
    boss = await room.signed_in("boss")
    wrong = await press(boss, "/admin/webhooks", {"url": "gopher://x", "events": ["alarm"]})
    assert wrong.status_code == 422
    added = await press(boss, "/admin/webhooks", {"url": "https://x.example/h", "events": ["alarm"]})
    shown = secret(added)
    [hook] = await room.store.panel.webhooks()
    assert (hook.url, hook.secret, hook.events) == ("https://x.example/h", shown, ("alarm",))
    assert shown not in (await boss.get("/admin/webhooks")).text
    await press(boss, "/admin/webhooks", {"remove": hook.id})
    assert await room.store.panel.webhooks() == []


async def test_a_user_is_changed_disabled_enabled_and_given_a_code(room: Room) -> None:
    boss = await room.signed_in("boss")
    page = "/admin/users/101"
    fields = {"name": "Ann", "role": "supervisor", "extension": "101", "scope": "102 @sales", "do": "change"}
    assert "Ann" in (await press(boss, page, fields)).text
    user = await room.store.panel.user("101")
    assert user is not None
    assert (user.role, user.scope) == ("supervisor", ("102", "@sales"))
    faulty = await press(boss, page, {**fields, "scope": "x y"})
    assert faulty.status_code == 422
    for deed, disabled in (("disable", True), ("enable", False)):
        await press(boss, page, {"do": deed})
        user = await room.store.panel.user("101")
        assert user is not None
        assert user.disabled is disabled
    code = secret(await press(boss, page, {"do": "code"}))
    guest = room.visitor()
    inside = await press(guest, "/login", {"login": "101", "secret": code, "language": "ru"})
    assert "Выберите пароль" in inside.text or "пароль" in inside.text.lower()
    missing = await boss.get("/admin/users/nobody")
    assert missing.status_code == 404


async def test_another_session_is_ended_from_the_settings(room: Room) -> None:
    here, there = await room.signed_in("101"), await room.signed_in("101")
    listed = (await here.get("/api/v1/sessions")).json()
    other = next(s["id"] for s in listed if not s["current"])
    await press(here, "/settings", {}, f"/settings/sessions/{other}/end")
    assert (await there.get("/api/v1/me")).status_code == 401
    assert (await here.get("/api/v1/me")).status_code == 200


async def test_the_trail_is_narrowed_by_who_and_what_in_words(room: Room) -> None:
    boss = await room.signed_in("boss")
    await room.signed_in("101")
    page = (await boss.get("/admin/audit?who=101&action=login")).text
    assert page.count("<tr>") == 2, "its head and one line"
    assert ">signed in</a>" in page
    assert "Nothing there." in (await boss.get("/admin/audit?action=delete")).text


async def test_a_page_that_asks_again_by_itself_keeps_nobody_signed_in(room: Room) -> None:
    client = await room.signed_in("101")
    poll = {"HX-Request-Type": "partial", "X-Poll": "1"}
    for _ in range(7):
        room.clock.now += 590
        answer = await client.get("/live", headers=poll)
    assert answer.headers["hx-redirect" if answer.status_code == 200 else "location"].startswith("/login")
    assert (await client.get("/api/v1/me")).status_code == 401


async def test_the_pages_that_ask_by_themselves_say_so(room: Room) -> None:
    boss = await room.signed_in("boss")
    for path in ("/", "/admin/status"):
        page = (await boss.get(path)).text
        polling = re.findall(r"<section[^>]*hx-trigger=\"every [^>]*>", page)
        assert polling, path
        assert all('"X-Poll"' in tag for tag in polling), path


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_no_link_of_a_page_leads_to_a_fault(room: Room, language: str) -> None:
    client = await room.signed_in("boss")
    await press(client, "/", {"language": language}, "/language")
    todo, seen = ["/", "/settings", "/admin/status"], set[str]()
    while todo:
        path = todo.pop()
        answer = await client.get(path)
        assert answer.status_code == 200, path
        seen.add(path)
        links = {html.unescape(link) for link in re.findall(r'<a [^>]*href="(/[^"#]*)"', answer.text)}
        todo += sorted(links - seen - set(todo))
    spans = {path.partition("since=")[2] for path in seen if path.startswith("/admin/coverage?")}
    first = {"en": {"today", "yesterday"}, "ru": {"сегодня", "вчера"}}
    assert spans == {*first[language], "7d", "30d"}


async def test_the_proof_says_since_when_in_the_readers_words_whoever_wrote_the_address(room: Room) -> None:
    client = await room.signed_in("boss")
    await press(client, "/", {"language": "ru"}, "/language")
    page = (await client.get("/admin/coverage", params={"since": "yesterday"})).text
    assert re.search(r'name="since" value="вчера"', page)
    assert re.search(r'since=вчера" aria-current="true"', page)
