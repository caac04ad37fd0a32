"""Signing in through an OpenID Connect provider: one that runs here, and everything that could come in its name."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from recorderd.config.sections import Oidc, Panel
from recorderd.errors import ConfigError
from recorderd.panel.app import make_app
from recorderd.panel.pages.door import TICKET_COOKIE
from recorderd.panel.sessions import COOKIE
from tests.panel.conftest import Room, panel_over
from tests.panel.provider import BACK, CLIENT, SECRET, TestProvider, consent, providing

PEOPLE = {
    "s-101": {"preferred_username": "101", "name": "Anna", "groups": ["staff"], "phone": "101"},
    "s-boss": {"preferred_username": "Boss", "name": "Bo", "groups": ["staff", "admins"], "phone": 105},
    "s-guest": {"preferred_username": "guest", "groups": ["visitors"]},
}
RULED: dict[str, Any] = {
    "role_claim": "groups",
    "roles": {"admins": "administrator", "staff": "user"},
    "extension_claim": "phone",
}
FAILED = "Signing in with Example did not succeed. Try again."


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with providing() as found:
        found.people = {sub: dict(claims) for sub, claims in PEOPLE.items()}
        yield found


@pytest.fixture
async def room(tmp_path: Path, provider: TestProvider) -> AsyncIterator[Room]:
    async with panel_over("memory:", tmp_path, panel=through(provider)) as made:
        made.clock.now = time.time()
        yield made


def through(provider: TestProvider, **more: Any) -> Panel:
    given = {"issuer": provider.issuer, "client_id": CLIENT, "secret": SECRET, "redirect_uri": BACK}
    return Panel(oidc=Oidc(**given, label="Example", **more))


def with_provider(room: Room, provider: TestProvider, **more: Any) -> None:
    """Set up in another way: the panel is started again."""
    room.config = replace(room.config, panel=through(provider, **more))
    room.app = make_app(room.config, room.store, room.clock)


async def comes(
    room: Room,
    who: str,
    *,
    client: httpx.AsyncClient | None = None,
    change: Callable[[dict], Any] = dict,
    path: str = "",
) -> httpx.Response:
    """The whole way of a browser: out, consent there, back; `change` alters what it brings back."""
    browser = client or room.visitor()
    out = await browser.get("/login/oidc" + path)
    assert out.status_code == 303, out.text
    back = await consent(out.headers["location"], who)
    assert f"{back.scheme}://{back.host}{back.path}" == BACK
    return await browser.get(back.path, params=change(dict(back.params)))


async def me(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/api/v1/me")
    return dict(answer.json()) if answer.status_code == 200 else {}


async def why(room: Room) -> list[str]:
    return [row.detail["why"] for row in await room.trail("login-refused")]


# --- the way in -----------------------------------------------------------------------------------


async def test_the_page_of_the_login_offers_it_and_the_way_leads_in(room: Room) -> None:
    await room.user("101", password="")
    browser = room.visitor()
    page = (await browser.get("/login?next=%2Fsettings")).text
    assert "Sign in with Example" in page
    assert "/login/oidc?next=%2Fsettings" in page
    answer = await comes(room, "s-101", client=browser, path="?next=%2Fsettings")
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    assert (await me(browser))["login"] == "101"
    assert "Change the password" not in (await browser.get("/settings")).text
    [told] = await room.trail("login")
    assert (told.who, told.detail["sign_on"]) == ("101", "oidc")
    assert TICKET_COOKIE not in browser.cookies
    assert (await room.store.panel.user("101")).subject.endswith(" s-101")  # type: ignore[union-attr]


async def test_what_we_ask_for_is_bound_to_this_browser_and_this_login(room: Room) -> None:
    browser = room.visitor(scheme="https")
    first, second = [(await browser.get("/login/oidc")) for _ in range(2)]
    asked = httpx.URL(first.headers["location"]).params
    assert asked["response_type"] == "code"
    assert (asked["client_id"], asked["redirect_uri"], asked["scope"]) == (CLIENT, BACK, "openid profile")
    assert asked["code_challenge_method"] == "S256"
    again = httpx.URL(second.headers["location"]).params
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name]) >= 40
        assert asked[name] != again[name]
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(TICKET_COOKIE)
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/login/oidc"))
    assert asked["nonce"] not in cookie
    assert SECRET not in first.headers["location"]


async def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    async with panel_over("memory:", tmp_path) as plain:
        browser = plain.visitor()
        assert "/login/oidc" not in (await browser.get("/login")).text
        assert (await browser.get("/login/oidc")).status_code == 404
        assert (await browser.get("/login/oidc/return?code=x&state=y")).status_code == 404


async def test_a_way_on_that_leads_to_another_site_is_not_followed(room: Room) -> None:
    await room.user("101", password="")
    answer = await comes(room, "s-101", path="?next=https%3A%2F%2Fevil.example%2F")
    assert answer.headers["location"] == "/"
    answer = await comes(room, "s-101", path="?next=%2F%2Fevil.example")
    assert answer.headers["location"] == "/"


async def test_the_session_has_a_new_token_and_is_as_any_other(room: Room) -> None:
    await room.user("101", password="")
    browser = room.visitor()
    browser.cookies.set(COOKIE, "planted", domain="panel.test")
    await comes(room, "s-101", client=browser)
    assert browser.cookies[COOKIE] != "planted"
    choice = {"inbound": "always", "outbound": "always"}
    assert (await browser.put("/api/v1/settings", json=choice)).status_code == 403, "no CSRF token shown"
    shown = {"X-CSRF-Token": (await me(browser))["csrf"]}
    assert (await browser.put("/api/v1/settings", json=choice, headers=shown)).status_code == 200
    changed = await browser.put("/api/v1/password", json={"new": "five patient otters"}, headers=shown)
    assert changed.status_code == 409
    room.clock.now += 3601
    assert await me(browser) == {}


# --- who somebody becomes -------------------------------------------------------------------------


async def test_without_a_claim_for_roles_only_those_who_are_known_come_in(room: Room) -> None:
    await room.user("101", password="")
    assert (await comes(room, "s-101")).status_code == 303
    refused = await comes(room, "s-boss")
    assert refused.status_code == 403
    assert "Example says that you are boss, who may not come in here." in refused.text
    assert await room.store.panel.user("boss") is None
    assert await why(room) == ["unknown"]


async def test_with_one_the_provider_says_who_is_what(room: Room, provider: TestProvider) -> None:
    with_provider(room, provider, **RULED)
    browser = room.visitor()
    await comes(room, "s-boss", client=browser, path="?language=ru")
    found = await me(browser)
    assert (found["login"], found["role"], found["extension"], found["name"], found["language"]) == (
        "boss", "administrator", "105", "Bo", "ru",
    )  # fmt: skip
    assert [row.object for row in await room.trail("user-added")] == ["boss"]
    assert (await comes(room, "s-guest")).status_code == 403
    assert await why(room) == ["no role for him"]


async def test_a_role_that_is_taken_away_there_is_gone_here_at_the_next_login(
    room: Room, provider: TestProvider
) -> None:
    with_provider(room, provider, **RULED)
    before, after = room.visitor(), room.visitor()
    await comes(room, "s-boss", client=before)
    provider.people["s-boss"] |= {"groups": ["staff"], "phone": "106"}
    await comes(room, "s-boss", client=after)
    assert await me(before) == {}, "what he could do before ends"
    found = await me(after)
    assert (found["role"], found["extension"]) == ("user", "106")
    [changed] = await room.trail("user-changed")
    assert changed.detail["before"] == {"role": "administrator", "extension": "105"}
    shown = {"X-CSRF-Token": found["csrf"]}
    key = (await after.post("/api/v1/tokens", json={"name": "x", "scopes": ["list"]}, headers=shown)).json()
    machine = room.visitor()
    machine.headers["Authorization"] = f"Bearer {key['token']}"
    assert (await machine.get("/api/v1/calls")).status_code == 200
    provider.people["s-boss"] |= {"groups": []}
    assert (await comes(room, "s-boss")).status_code == 403
    assert await me(after) == {}, "who may no more has no session left"
    assert (await machine.get("/api/v1/calls")).status_code == 401, "and no key"


async def test_a_login_belongs_to_the_first_who_came_with_it(room: Room, provider: TestProvider) -> None:
    await room.user("101", password="")
    await comes(room, "s-101")
    provider.people["s-thief"] = {"preferred_username": "101"}
    assert (await comes(room, "s-thief")).status_code == 403
    assert await why(room) == ["tied to another subject"]
    # An administrator's new one-time code unties it.
    await room.user("root", "administrator")
    admin = await room.signed_in("root")
    assert (await admin.post("/api/v1/users/101/code")).status_code == 200
    assert (await comes(room, "s-thief")).status_code == 303


async def test_nobody_takes_over_a_user_with_a_password_by_choosing_his_name(
    room: Room, provider: TestProvider
) -> None:
    await room.user("root", "administrator")
    provider.people["s-thief"] = {"preferred_username": "root", "groups": ["staff"]}
    assert (await comes(room, "s-thief")).status_code == 403
    with_provider(room, provider, **RULED)
    assert (await comes(room, "s-thief")).status_code == 403
    assert (await room.store.panel.user("root")).role == "administrator"  # type: ignore[union-attr]


async def test_who_is_disabled_here_stays_outside(room: Room) -> None:
    await room.user("101", password="")
    browser = room.visitor()
    await comes(room, "s-101", client=browser)
    await room.store.panel.change_user("101", disabled=True)
    assert await me(browser) == {}
    assert (await comes(room, "s-101")).status_code == 403
    assert await why(room) == ["disabled"]


async def test_a_one_time_code_that_was_never_used_does_not_stand_in_the_way(room: Room) -> None:
    await room.user("101", password="", must_change=True)
    browser = room.visitor()
    assert (await comes(room, "s-101", client=browser)).headers["location"] == "/"
    assert not (await me(browser))["must_change"]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"preferred_username": "../etc"}, "is no login"),
        ({"preferred_username": "101 "}, "is no login"),
        ({"preferred_username": ["101"]}, "is no login"),
        ({"preferred_username": "１０１"}, "is no login"),
        ({"preferred_username": "x" * 65}, "is no login"),
        ({}, "is no login"),
        ({"preferred_username": "101", "phone": "101;drop"}, "is no extension"),
        ({"preferred_username": "101", "phone": ["101"]}, "is no extension"),
        ({"preferred_username": "101", "phone": True}, "is no extension"),
    ],
)
async def test_claims_are_read_strictly(
    room: Room, provider: TestProvider, claims: dict[str, Any], reason: str
) -> None:
    with_provider(room, provider, **RULED)
    provider.people["s-x"] = {"groups": ["staff"]} | claims
    answer = await comes(room, "s-x")
    assert answer.status_code == 403
    assert reason in (await why(room))[0]
    assert await room.store.panel.users() == []


async def test_an_address_that_nobody_has_verified_is_no_login(room: Room, provider: TestProvider) -> None:
    with_provider(room, provider, **(RULED | {"login_claim": "email"}))
    provider.people["s-101"] |= {"email": "anna@example.org", "email_verified": False}
    assert (await comes(room, "s-101")).status_code == 403
    provider.people["s-101"] |= {"email_verified": True}
    browser = room.visitor()
    await comes(room, "s-101", client=browser)
    assert (await me(browser))["login"] == "anna@example.org"


async def test_roles_may_lie_deeper_and_be_in_userinfo_only(room: Room, provider: TestProvider) -> None:
    with_provider(room, provider, **(RULED | {"role_claim": "realm_access.roles"}))
    provider.people["s-101"]["realm_access"] = {"roles": ["x", "admins"]}
    provider.only_userinfo = ("realm_access",)
    browser = room.visitor()
    await comes(room, "s-101", client=browser)
    assert (await me(browser))["role"] == "administrator"
    assert "/userinfo" in provider.asked


# --- what comes in its name and is not its own ------------------------------------------------------


async def refused(room: Room, answer: httpx.Response, reason: str) -> None:
    """Nobody is in, one sentence says so to him, and the trail says why."""
    assert answer.status_code == 403
    assert FAILED in answer.text
    assert COOKIE not in answer.cookies
    assert reason in (await why(room))[-1]
    assert await room.store.panel.sessions("101") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda q: q | {"state": "A" * 43}, "state"),
        (lambda q: {"code": q["code"]}, "state"),
        (lambda q: q | {"state": ""}, "state"),
        (lambda q: q | {"state": "é"}, "state"),
        (lambda q: [*q.items(), ("code", "another")], "state"),
        (lambda q: {"state": q["state"]}, "no code"),
        (lambda q: q | {"iss": "https://evil.example"}, "another issuer"),
        (lambda q: {"state": q["state"], "error": "access_denied\r\nX: y"}, "it says access_denied??X: y"),
        (lambda q: q | {"code": "invented"}, "does not answer"),
    ],
)
async def test_a_forged_way_back_leads_nowhere(
    room: Room, change: Callable[[dict], Any], reason: str
) -> None:
    await room.user("101", password="")
    await refused(room, await comes(room, "s-101", change=change), reason)


async def test_a_code_of_somebody_elses_browser_signs_nobody_in(room: Room) -> None:
    await room.user("101", password="")
    attacker, victim = room.visitor(), room.visitor()
    out = await attacker.get("/login/oidc")
    back = await consent(out.headers["location"], "s-101")
    await refused(room, await victim.get(back.path, params=back.params), "no ticket")
    await victim.get("/login/oidc")
    await refused(room, await victim.get(back.path, params=back.params), "state")


async def test_a_code_is_good_once_and_so_is_the_ticket(room: Room) -> None:
    await room.user("101", password="")
    browser = room.visitor()
    out = await browser.get("/login/oidc")
    ticket = browser.cookies[TICKET_COOKIE]
    back = await consent(out.headers["location"], "s-101")
    assert (await browser.get(back.path, params=back.params)).status_code == 303
    await room.store.panel.end_sessions("101")
    again = room.visitor()
    await refused(room, await again.get(back.path, params=back.params), "no ticket")
    again.cookies.set(TICKET_COOKIE, ticket, domain="panel.test", path="/login/oidc")
    await refused(room, await again.get(back.path, params=back.params), "invalid_grant")


async def test_a_ticket_is_over_after_ten_minutes_and_cannot_be_made(room: Room) -> None:
    await room.user("101", password="")
    browser = room.visitor()
    out = await browser.get("/login/oidc")
    back = await consent(out.headers["location"], "s-101")
    room.clock.now += 601
    await refused(room, await browser.get(back.path, params=back.params), "too old")
    for made in ("x", base64.urlsafe_b64encode(json.dumps({"state": "s"}).encode()).decode(), "é"):
        cookie = {"Cookie": f"{TICKET_COOKIE}={made}".encode()}
        answer = await room.visitor().get("/login/oidc/return?code=c&state=s", headers=cookie)
        await refused(room, answer, "no ticket")


def unsigned(claims: dict[str, Any], header: dict[str, Any], _key: RSAKey) -> str:
    parts = [{**header, "alg": "none"}, claims]
    return ".".join([_b64(json.dumps(part).encode()) for part in parts]) + "."


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed_with_the_public_key(claims: dict[str, Any], header: dict[str, Any], key: RSAKey) -> str:
    """The old confusion: the public key, which everybody has, as the secret of an HMAC."""
    parts = ".".join(_b64(json.dumps(part).encode()) for part in ({**header, "alg": "HS256"}, claims))
    made = hmac.digest(key.as_pem(private=False), parts.encode(), "sha256")
    return f"{parts}.{_b64(made)}"


def signed_with_the_clients_secret(claims: dict[str, Any], header: dict[str, Any], _key: RSAKey) -> str:
    return jwt.encode({"alg": "HS256", "kid": header["kid"]}, claims, OctKey.import_key(SECRET), ["HS256"])


OTHER = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})


def signed_by_another(claims: dict[str, Any], header: dict[str, Any], _key: RSAKey) -> str:
    return jwt.encode(header, claims, OTHER)


BROUGHT = ECKey.generate_key("P-256", {"kid": "k1"})


def signed_by_a_key_it_brings_along(claims: dict[str, Any], header: dict[str, Any], _key: RSAKey) -> str:
    brought = {"alg": "ES256", "kid": header["kid"], "jwk": BROUGHT.as_dict(private=False)}
    return jwt.encode(brought, claims, BROUGHT)


def with_another_subject_after_signing(claims: dict[str, Any], header: dict[str, Any], key: RSAKey) -> str:
    head, _body, signature = jwt.encode(header, claims, key).split(".")
    return f"{head}.{_b64(json.dumps(claims | {'sub': 's-boss'}).encode())}.{signature}"


def saying(**changed: Any) -> Any:
    """Rightly signed, with these claims; None leaves one out."""

    def made(claims: dict[str, Any], header: dict[str, Any], key: RSAKey) -> str:
        said = {n: v for n, v in (claims | changed).items() if v is not None}
        return jwt.encode(header, said, key)

    return made


@pytest.mark.parametrize(
    ("crooked", "reason"),
    [
        (unsigned, "UnsupportedAlgorithm"),
        (signed_with_the_public_key, "UnsupportedAlgorithm"),
        (signed_with_the_clients_secret, "UnsupportedAlgorithm"),
        (signed_by_another, "BadSignature"),
        (signed_by_a_key_it_brings_along, "InvalidKeyType"),
        (with_another_subject_after_signing, "BadSignature"),
        (saying(iss="https://evil.example"), "iss"),
        (saying(iss=None), "iss"),
        (saying(aud="another"), "aud"),
        (saying(aud=["another", "and another"]), "aud"),
        (saying(aud=[CLIENT, "another"]), "azp"),
        (saying(azp="another"), "azp"),
        (saying(aud=None), "aud"),
        (saying(exp=int(time.time()) - 120), "expired"),
        (saying(exp=None), "exp"),
        (saying(exp="tomorrow"), "exp"),
        (saying(iat=int(time.time()) + 3600), "in the future"),
        (saying(nbf=int(time.time()) + 3600), "not yet valid"),
        (saying(nonce="of another login"), "nonce"),
        (saying(nonce=None), "nonce"),
        (saying(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "at_hash"),
        (saying(sub=None), "sub"),
        (saying(sub=7), "sub"),
        (lambda *_: "no.token", "not believed"),
        (lambda *_: "", "not believed"),
    ],
)
async def test_a_crooked_id_token_is_not_believed(
    room: Room, provider: TestProvider, crooked: Any, reason: str
) -> None:
    await room.user("101", password="")
    provider.crooked = crooked
    answer = await comes(room, "s-101")
    assert answer.status_code == 403
    assert reason.lower() in (await why(room))[-1].lower()
    await refused(room, answer, "")
    # The same way is open to what is straight.
    provider.crooked = None
    assert (await comes(room, "s-101")).status_code == 303


async def test_a_new_key_of_the_provider_is_learnt_and_an_unknown_one_asked_for_only_now_and_then(
    room: Room, provider: TestProvider
) -> None:
    await room.user("101", password="")
    await comes(room, "s-101")
    provider.key = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
    assert (await comes(room, "s-101")).status_code == 403, "its keys were asked for a moment ago"
    asked = provider.asked.count("/keys")
    await comes(room, "s-101")
    assert provider.asked.count("/keys") == asked
    room.clock.now += 61
    assert (await comes(room, "s-101")).status_code == 303


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"issuer": "https://evil.example"}, "calls itself"),
        ({"token_endpoint": "ftp://evil.example/token"}, "token_endpoint"),
        ({"jwks_uri": None}, "jwks_uri"),
    ],
)
async def test_a_provider_that_contradicts_itself_is_not_used(
    room: Room, provider: TestProvider, said: dict[str, Any], reason: str
) -> None:
    provider.metadata = said
    answer = await room.visitor().get("/login/oidc")
    assert answer.status_code == 403
    assert reason in (await why(room))[-1]


@pytest.mark.parametrize(
    "keys", [{}, {"keys": []}, {"keys": [7]}, {"keys": [{"kty": "RSA"}]}, {"keys": "x"}, []]
)
async def test_keys_that_are_none_believe_nobody(room: Room, provider: TestProvider, keys: Any) -> None:
    await room.user("101", password="")
    provider.keys = keys
    await refused(room, await comes(room, "s-101"), "")


async def test_a_provider_that_is_away_is_told_and_passwords_go_on(room: Room) -> None:
    with providing() as gone:
        pass
    with_provider(room, gone)
    await room.user("101")
    answer = await room.visitor().get("/login/oidc")
    assert answer.status_code == 403
    assert FAILED in answer.text
    assert (await me(await room.signed_in("101")))["login"] == "101"
    away = room.visitor("198.51.100.9")
    answers = [await away.get("/login/oidc") for _ in range(25)]
    assert answers[-1].status_code == 429
    assert len(await why(room)) <= 22, "the audit log does not fill up"


async def test_userinfo_about_somebody_else_is_not_believed(room: Room, provider: TestProvider) -> None:
    with_provider(room, provider, **RULED)
    provider.only_userinfo = ("groups",)
    provider.people["s-101"]["sub"] = "s-boss"
    provider.crooked = saying(sub="s-101")
    await refused(room, await comes(room, "s-101"), "about somebody else")


async def test_who_tries_on_and_on_has_to_wait(room: Room) -> None:
    browser = room.visitor()
    answers = [await browser.get("/login/oidc/return?code=x&state=y") for _ in range(25)]
    assert [a.status_code for a in answers[:20]] == [403] * 20
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


# --- the way out ------------------------------------------------------------------------------------


async def test_signing_out_ends_the_session_here_and_shows_the_way_out_there(
    room: Room, provider: TestProvider
) -> None:
    await room.user("101", password="")
    browser = room.visitor()
    await comes(room, "s-101", client=browser)
    csrf = (await me(browser))["csrf"]
    answer = await browser.post("/logout", data={"csrf": csrf})
    assert answer.headers["location"] == "/login?out=oidc"
    assert await me(browser) == {}
    assert await room.store.panel.sessions("101") == []
    page = (await browser.get("/login?out=oidc")).text
    assert "You are signed out here." in page
    assert (
        f"{provider.issuer}/logout?client_id={CLIENT}&amp;post_logout_redirect_uri=http%3A%2F%2Fpanel.test%2Flogin"
        in page
    )


# --- how it is set up -------------------------------------------------------------------------------


async def test_a_secret_that_nobody_gave_stops_the_panel_with_a_sentence(room: Room) -> None:
    oidc = replace(room.config.panel.oidc, secret="")
    config = replace(room.config, panel=replace(room.config.panel, oidc=oidc))
    with pytest.raises(ConfigError, match=r"panel\.oidc\.secret is missing: give secret, secret_file"):
        make_app(config, room.store, room.clock)
