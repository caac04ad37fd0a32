"""Getting in, staying in, and being put out."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from recorderd.panel import passwords
from recorderd.panel.passwords import Passwords
from recorderd.panel.sessions import COOKIE, SECURE_COOKIE
from tests.panel.conftest import PASSWORD, Room, panel_over

NEW = "five patient otters"


async def try_in(client: httpx.AsyncClient, login: str, secret: str) -> httpx.Response:
    csrf = (await client.get("/api/v1/session")).json()["csrf"]
    return await client.post(
        "/api/v1/session", json={"login": login, "secret": secret}, headers={"X-CSRF-Token": csrf}
    )


async def new_user(room: Room, login: str = "105") -> str:
    """A user whom the administrator has just made; his one-time code."""
    await room.user("boss", "administrator")
    admin = await room.signed_in("boss")
    return str((await admin.post("/api/v1/users", json={"login": login})).json()["code"])


# --- the first login -----------------------------------------------------------------------------


async def test_a_one_time_code_opens_once_and_only_the_way_to_a_password(room: Room) -> None:
    code = await new_user(room)
    client = room.visitor()
    answer = await try_in(client, "105", code.lower().replace("-", " "))
    assert answer.status_code == 200, answer.text
    me = answer.json()
    assert me["must_change"]
    client.headers["X-CSRF-Token"] = me["csrf"]
    assert (await client.get("/api/v1/calls")).status_code == 403
    assert (await client.get("/media/x")).status_code == 403
    assert (await client.get("/")).headers["location"] == "/password"
    changed = await client.put("/api/v1/password", json={"new": NEW})
    assert changed.status_code == 200, changed.text
    assert (await client.get("/api/v1/calls")).status_code == 200
    assert (await try_in(room.visitor(), "105", code)).status_code == 403
    assert (await try_in(room.visitor(), "105", NEW)).status_code == 200


async def test_a_code_is_over_after_a_day(room: Room) -> None:
    code = await new_user(room)
    room.clock.now += 86_401
    assert (await try_in(room.visitor(), "105", code)).status_code == 403


@pytest.mark.parametrize(
    "password",
    ["105", "10500105", "105-2026", "n 105", "short", "password1", "12345678", "aaaaaaaaaa", "x" * 129],
)
async def test_a_password_that_anybody_would_try_is_refused(room: Room, password: str) -> None:
    await room.user("105", password="", must_change=True, code=await Passwords().hash("ABCDEFGH2346"),
                    code_until=room.clock() + 60)  # fmt: skip
    client = room.visitor()
    client.headers["X-CSRF-Token"] = (await try_in(client, "105", "ABCD-EFGH-2346")).json()["csrf"]
    answer = await client.put("/api/v1/password", json={"new": password})
    assert answer.status_code == 422
    assert list(answer.json()["error"]["faults"]) == ["new"]


async def test_an_initial_password_must_be_changed_too(room: Room) -> None:
    await room.user("101", must_change=True)
    client = room.visitor()
    client.headers["X-CSRF-Token"] = (await try_in(client, "101", PASSWORD)).json()["csrf"]
    same = await client.put("/api/v1/password", json={"new": PASSWORD})
    assert same.json()["error"]["faults"] == {"new": "That is your present password."}
    assert (await client.put("/api/v1/password", json={"new": NEW})).status_code == 200


# --- the login ------------------------------------------------------------------------------------


async def test_every_cause_of_a_refusal_sounds_the_same(room: Room) -> None:
    await room.user("101")
    await room.user("102", disabled=True)
    await room.user("103", password="")
    tries = (("101", "wrong"), ("102", PASSWORD), ("103", ""), ("nobody", PASSWORD), ("'--", "x"), ("", ""))
    answers = [await try_in(room.visitor(f"192.0.2.{n}"), *who) for n, who in enumerate(tries)]
    assert {(a.status_code, a.json()["error"]["sentence"]) for a in answers} == {
        (403, "This login and password do not go together.")
    }
    assert len(await room.trail("login-refused")) == len(tries)


async def test_a_login_begins_a_session_with_a_new_token(room: Room) -> None:
    await room.user("101")
    client = room.visitor()
    client.cookies.set(COOKIE, "planted", domain="panel.test")
    answer = await try_in(client, " 101 ", PASSWORD)
    token = answer.cookies[COOKIE]
    assert token != "planted"
    [session] = await room.store.panel.sessions("101")
    assert token not in repr(session)
    assert session.id == passwords.digest(token)
    cookie = next(v for n, v in answer.headers.multi_items() if n == "set-cookie" and v.startswith(COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


async def test_over_https_the_cookie_is_for_this_host_and_https_only(room: Room) -> None:
    await room.user("101")
    answer = await try_in(room.visitor(scheme="https"), "101", PASSWORD)
    cookies = [v for n, v in answer.headers.multi_items() if n == "set-cookie"]
    assert any(c.startswith(SECURE_COOKIE) and "Secure" in c and "Domain" not in c for c in cookies)
    assert answer.headers["strict-transport-security"]


async def test_guessing_becomes_slow_for_the_login_and_for_the_address(room: Room) -> None:
    await room.user("101")
    client = room.visitor()
    for _ in range(5):
        assert (await try_in(client, "101", "wrong")).status_code == 403
    slow = await try_in(room.visitor("198.51.100.7"), "101", PASSWORD)
    assert (slow.status_code, slow.headers["retry-after"]) == (429, "1")
    room.clock.now += 2
    assert (await try_in(room.visitor(), "101", PASSWORD)).status_code == 200


async def test_many_guesses_at_once_are_many_guesses(room: Room) -> None:
    await room.user("101")
    client = room.visitor()
    csrf = (await client.get("/api/v1/session")).json()["csrf"]
    guess = {"json": {"login": "101", "secret": "wrong"}, "headers": {"X-CSRF-Token": csrf}}
    answers = await asyncio.gather(*(client.post("/api/v1/session", **guess) for _ in range(12)))  # type: ignore[arg-type]
    assert sum(a.status_code == 403 for a in answers) <= 5


# --- the session ----------------------------------------------------------------------------------


async def test_a_session_ends_when_it_is_idle_or_old(tmp_path) -> None:  # type: ignore[no-untyped-def]
    async with panel_over("memory:", tmp_path) as room:
        await room.user("101")
        client = await room.signed_in("101")
        for _ in range(11):
            room.clock.now += 3590
            assert (await client.get("/api/v1/me")).status_code == 200
        room.clock.now += 3601 * 2
        assert (await client.get("/api/v1/me")).status_code == 401
        idle = await room.signed_in("101")
        room.clock.now += 3601
        assert (await idle.get("/api/v1/me")).status_code == 401


async def test_a_new_password_ends_every_other_session_and_renews_this_one(room: Room) -> None:
    await room.user("101")
    here, there = await room.signed_in("101"), await room.signed_in("101")
    old = here.cookies[COOKIE]
    wrong = await here.put("/api/v1/password", json={"old": "no", "new": NEW})
    assert wrong.json()["error"]["faults"] == {"old": "That is not your present password."}
    assert (await here.put("/api/v1/password", json={"old": PASSWORD, "new": NEW})).status_code == 200
    assert here.cookies[COOKIE] != old
    assert (await here.get("/api/v1/me")).status_code == 200
    assert (await there.get("/api/v1/me")).status_code == 401
    stale = room.visitor()
    stale.cookies.set(COOKIE, old, domain="panel.test")
    assert (await stale.get("/api/v1/me")).status_code == 401


async def test_signing_out_and_revoking_end_sessions(room: Room) -> None:
    await room.user("101")
    here, there = await room.signed_in("101"), await room.signed_in("101")
    listed = (await here.get("/api/v1/sessions")).json()
    other = next(s["id"] for s in listed if not s["current"])
    assert (await here.delete(f"/api/v1/sessions/{other}")).status_code == 204
    assert (await there.get("/api/v1/me")).status_code == 401
    assert (await here.delete("/api/v1/session")).status_code == 204
    assert (await here.get("/api/v1/me")).status_code == 401
    assert await room.store.panel.sessions("101") == []


@pytest.mark.parametrize("change", [{"role": "supervisor"}, {"rights": ["list"]}, {"extension": "109"}])
async def test_a_change_of_what_one_may_ends_his_sessions(room: Room, change: dict[str, object]) -> None:
    await room.user("101")
    await room.user("boss", "administrator")
    client, admin = await room.signed_in("101"), await room.signed_in("boss")
    assert (await admin.patch("/api/v1/users/101", json=change)).status_code == 200
    assert (await client.get("/api/v1/me")).status_code == 401
    [told] = await room.trail("user-changed")
    assert told.detail["before"] != told.detail["after"]


async def test_disabling_puts_somebody_out_at_once_with_his_tokens(room: Room) -> None:
    await room.user("101")
    await room.user("boss", "administrator")
    client, admin = await room.signed_in("101"), await room.signed_in("boss")
    token = (await client.post("/api/v1/tokens", json={"name": "x", "scopes": ["list"]})).json()["token"]
    machine = room.visitor()
    machine.headers["Authorization"] = f"Bearer {token}"
    assert (await machine.get("/api/v1/calls")).status_code == 200
    assert (await admin.put("/api/v1/users/101/disabled", json={"disabled": True})).status_code == 204
    assert (await client.get("/api/v1/me")).status_code == 401
    assert (await machine.get("/api/v1/calls")).status_code == 401
    assert (await admin.put("/api/v1/users/boss/disabled", json={"disabled": True})).status_code == 409


# --- other sites ----------------------------------------------------------------------------------


async def test_what_changes_something_needs_the_token_of_our_pages(room: Room) -> None:
    await room.user("101")
    client = await room.signed_in("101")
    right = client.headers.pop("X-CSRF-Token")
    choice = {"inbound": "always", "outbound": "always"}
    for headers in ({}, {"X-CSRF-Token": "x" * 32}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "é" * 32}):
        encoded = {n: v.encode() for n, v in headers.items()}
        assert (await client.put("/api/v1/settings", json=choice, headers=encoded)).status_code == 403
    crossed = {"X-CSRF-Token": right, "Sec-Fetch-Site": "cross-site"}
    assert (await client.put("/api/v1/settings", json=choice, headers=crossed)).status_code == 403
    assert (
        await client.put("/api/v1/settings", json=choice, headers={"X-CSRF-Token": right})
    ).status_code == 200


async def test_nobody_can_be_signed_in_by_another_site(room: Room) -> None:
    await room.user("101")
    client = room.visitor()
    form = {"login": "101", "secret": PASSWORD, "language": "en"}
    assert (await client.post("/login", data=form)).status_code == 403
    assert COOKIE not in client.cookies


async def test_every_answer_wears_the_headers_of_safety(room: Room) -> None:
    client = room.visitor()
    for path in ("/login", "/nothing", "/api/v1/calls", "/media/x", "/static/none.css", "/healthz"):
        headers = (await client.get(path)).headers
        assert "'unsafe" not in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"


# --- tokens ---------------------------------------------------------------------------------------


async def test_a_token_does_what_its_scopes_say_while_its_owner_may(room: Room) -> None:
    await room.user("101")
    client = await room.signed_in("101")
    wanted = {"name": "crm", "scopes": ["list"], "days": 1}
    token = (await client.post("/api/v1/tokens", json=wanted)).json()["token"]
    machine = room.visitor()
    machine.headers["Authorization"] = f"Bearer {token}"
    assert (await machine.get("/api/v1/calls")).status_code == 200
    changed = {"inbound": "never", "outbound": "never"}
    assert (await machine.put("/api/v1/settings", json=changed)).status_code == 403
    assert (await machine.post("/api/v1/tokens", json=wanted)).status_code == 409
    assert (await machine.get("/", follow_redirects=False)).status_code == 303
    room.clock.now += 86_401
    assert (await machine.get("/api/v1/calls")).status_code == 401


async def test_a_token_cannot_do_more_than_its_maker(room: Room) -> None:
    await room.user("101")
    client = await room.signed_in("101")
    answer = await client.post("/api/v1/tokens", json={"name": "x", "scopes": ["administer"]})
    assert answer.json()["error"]["faults"] == {"scopes": "A token cannot do more than you may."}


async def test_a_wrong_token_is_nobody_even_with_a_session(room: Room) -> None:
    await room.user("101")
    client = await room.signed_in("101")
    for token in ("rdt_x", "x", "", "rdt_" + "é"):
        shown = {"Authorization": f"Bearer {token}".encode()}
        assert (await client.get("/api/v1/me", headers=shown)).status_code == 401


# --- the administrator's hand ---------------------------------------------------------------------


async def test_users_are_checked_field_by_field(room: Room) -> None:
    await room.user("boss", "administrator")
    admin = await room.signed_in("boss")
    wrong = {"login": "bad login", "scope": ["x y z"], "role": "supervisor", "rights": ["administer"]}
    answer = await admin.post("/api/v1/users", json=wrong)
    assert answer.status_code == 422
    assert set(answer.json()["error"]["faults"]) == {"login", "scope"}
    beyond = {"login": "110", "rights": ["administer"]}
    assert "rights" in (await admin.post("/api/v1/users", json=beyond)).json()["error"]["faults"]
    assert (await admin.post("/api/v1/users", json={"login": "110"})).status_code == 201
    assert "login" in (await admin.post("/api/v1/users", json={"login": "110"})).json()["error"]["faults"]
    assert "extension" in (await admin.post("/api/v1/users", json={"login": "ann"})).json()["error"]["faults"]


async def test_an_administrator_does_not_take_his_own_role_away(room: Room) -> None:
    await room.user("boss", "administrator")
    admin = await room.signed_in("boss")
    assert (await admin.patch("/api/v1/users/boss", json={"role": "auditor"})).status_code == 409


async def test_secrets_are_in_no_list_and_no_trail(room: Room) -> None:
    code = await new_user(room)
    admin = await room.signed_in("boss")
    text = (await admin.get("/api/v1/users")).text + (await admin.get("/api/v1/audit")).text
    bare = code.replace("-", "")
    assert "argon2" not in text
    assert bare not in text.replace("-", "")
