"""Signing in by the word of a proxy: only of one that is believed, only once, only for whom it names."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from recorderd.config.sections import Panel
from recorderd.panel.sessions import COOKIE, SECURE_COOKIE
from tests.panel.conftest import Room, panel_over

PROXY, BROWSER = "10.0.0.5", "203.0.113.9"
NAME = "X-Remote-User"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    settings = Panel(user_header=NAME, proxies=(PROXY, "192.168.7.0/24", "fd00::7"))
    async with panel_over("memory:", tmp_path, panel=settings) as made:
        await made.user("101", password="", must_change=True)
        await made.user("102")
        yield made


def behind(room: Room, login: str = "", address: str = PROXY) -> httpx.AsyncClient:
    """A browser behind this proxy, who says of it that it is `login`."""
    client = room.visitor(address, "https")
    client.headers["X-Forwarded-For"] = BROWSER
    if login:
        client.headers[NAME] = login
    return client


async def who(client: httpx.AsyncClient) -> str:
    answer = await client.get("/api/v1/me")
    return str(answer.json()["login"]) if answer.status_code == 200 else ""


async def is_in(room: Room, client: httpx.AsyncClient) -> bool:
    """Whether opening the panel leads in: at most two steps to follow, as a browser does."""
    answer = await client.get("/")
    for _ in range(2):
        if answer.status_code == 303:
            answer = await client.get(answer.headers["location"])
    return (
        answer.status_code == 200
        and "/logout" in answer.text
        and bool(await room.store.panel.sessions("101"))
    )


async def test_whom_the_proxy_names_is_in_without_another_word(room: Room) -> None:
    client = behind(room, "101")
    assert await is_in(room, client)
    assert await who(client) == "101"
    [session] = await room.store.panel.sessions("101")
    assert (session.sign_on, session.address) == ("header", BROWSER)
    [told] = await room.trail("login")
    assert (told.who, told.detail["sign_on"], told.detail["address"]) == ("101", "header", BROWSER)


async def test_the_proxy_says_whether_the_browser_came_by_https(room: Room) -> None:
    for address, said in ((PROXY, "https"), (PROXY, "http"), (BROWSER, "https")):
        headers = {NAME: "101", "X-Forwarded-Proto": said}
        answer = await room.visitor(address, "http").get("/login", headers=headers)
        secure = SECURE_COOKIE in answer.headers.get("set-cookie", "")
        assert secure is ((address, said) == (PROXY, "https"))


async def test_he_goes_where_he_wanted_and_needs_no_password_first(room: Room) -> None:
    answer = await behind(room, "101").get("/login?next=%2Fsettings")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    assert not (await room.store.panel.user("101")).must_change  # type: ignore[union-attr]


@pytest.mark.parametrize("address", ["192.168.7.200", "::ffff:10.0.0.5", "fd00::7"])
async def test_a_proxy_is_known_by_its_network_and_in_each_spelling(room: Room, address: str) -> None:
    client = room.visitor(address)
    client.headers[NAME] = "101"
    assert await is_in(room, client)


@pytest.mark.parametrize(
    "address", [BROWSER, "10.0.0.6", "192.168.8.1", "::1", "127.0.0.1", "unix", "testclient"]
)
async def test_from_anybody_else_it_is_ignored_and_logged(
    room: Room, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = behind(room, "101", address)
    for _ in range(3):
        assert not await is_in(room, client)
    assert await room.trail("login") == []
    said = [r.getMessage() for r in caplog.records if NAME in r.getMessage()]
    assert said == [f"{NAME} from {address} is ignored: it is not in panel.proxies"], "once a minute"


async def test_who_says_he_was_forwarded_by_a_proxy_is_not_that_proxy(room: Room) -> None:
    client = room.visitor(BROWSER)
    client.headers.update({NAME: "101", "X-Forwarded-For": PROXY, "Forwarded": f"for={PROXY}"})
    assert not await is_in(room, client)


async def test_a_browser_behind_the_proxy_is_not_the_proxy_either(room: Room) -> None:
    """The proxy's own address in X-Forwarded-For changes nothing of who stands there."""
    client = behind(room, "101")
    client.headers["X-Forwarded-For"] = f"{PROXY}, {PROXY}"
    assert await is_in(room, client)


@pytest.mark.parametrize(
    "said",
    [b"", b" ", b"101 ", b"101,102", b"101;x", b"../101", b"-101", b"1\x0001", "１０１".encode(), b"\xff", b"x" * 65,
     b"DOMAIN\\101", b'"101"', b"101@", b"<script>"],
)  # fmt: skip
async def test_a_name_that_is_none_is_ignored_and_logged(
    room: Room, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    client = behind(room)
    answer = await client.get("/login", headers={NAME.encode(): said})
    assert answer.status_code in (200, 403)
    assert await room.store.panel.sessions("101") == []
    if answer.status_code == 200:
        assert any("it is not a login" in r.getMessage() for r in caplog.records)
        assert said.decode("latin-1").strip() == "" or not any(
            said.decode("latin-1") in r.getMessage() for r in caplog.records
        )


async def test_a_name_that_is_said_twice_is_ignored(room: Room) -> None:
    headers = [(NAME.encode(), b"101"), (NAME.lower().encode(), b"102")]
    answer = await behind(room).get("/login", headers=headers)
    assert answer.status_code == 200
    assert await room.trail("login") == []


async def test_whom_the_panel_does_not_know_stays_outside_and_is_told(room: Room) -> None:
    await room.user("103", disabled=True)
    for login, why in (("ghost", "unknown"), ("103", "disabled")):
        answer = await behind(room, login).get("/login")
        assert answer.status_code == 403
        assert f"You have signed in as {login}, who may not come in here." in answer.text
        assert (await room.trail("login-refused"))[-1].detail["why"] == why


async def test_strangers_of_one_proxy_lock_nobody_else_out(room: Room) -> None:
    for n in range(30):
        assert (await behind(room, f"stranger{n}").get("/login")).status_code == 403
    answers = [await behind(room, "ghost").get("/login") for _ in range(7)]
    assert [a.status_code for a in answers] == [403] * 5 + [429] * 2
    assert await is_in(room, behind(room, "101"))


async def test_the_session_ends_with_the_word_of_the_proxy(room: Room) -> None:
    client = behind(room, "101")
    await is_in(room, client)
    for name in ("", "102"):
        client.headers[NAME] = name
        assert await who(client) == ""
    client.headers[NAME] = "101"
    assert await who(client) == "101"
    # The stolen cookie is worth nothing to somebody who comes past the proxy.
    past = room.visitor(BROWSER)
    past.headers[NAME] = "101"
    for cookie in (COOKIE, SECURE_COOKIE):
        past.cookies.set(cookie, client.cookies[SECURE_COOKIE], domain="panel.test")
    assert await who(past) == ""


async def test_a_session_by_password_is_not_changed_by_a_header(room: Room) -> None:
    client = await room.signed_in("102")
    client.headers[NAME] = "101"
    assert await who(client) == "102"


async def test_who_signs_out_is_not_signed_in_again_at_once(room: Room) -> None:
    client = behind(room, "101")
    await is_in(room, client)
    csrf = (await client.get("/api/v1/me")).json()["csrf"]
    answer = await client.post("/logout", data={"csrf": csrf})
    assert answer.headers["location"] == "/login?out=header"
    page = await client.get("/login?out=header")
    assert "You are signed out here." in page.text
    assert "Come in again" in page.text
    assert await who(client) == ""


async def test_what_changes_something_needs_our_pages_token_here_too(room: Room) -> None:
    client = behind(room, "101")
    await is_in(room, client)
    choice = {"inbound": "always", "outbound": "always"}
    assert (await client.put("/api/v1/settings", json=choice)).status_code == 403
    # Without a session the header alone opens nothing but the door.
    assert (await behind(room, "101").get("/api/v1/calls")).status_code == 401


async def test_it_is_off_unless_it_is_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with panel_over("memory:", tmp_path, panel=Panel(proxies=(PROXY,))) as plain:
        await plain.user("101")
        assert not await is_in(plain, behind(plain, "101"))
        assert caplog.records == []
