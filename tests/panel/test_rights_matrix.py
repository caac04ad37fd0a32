"""Everybody tries everything: role by right by object, with guessed ids, path tricks, stale sessions and
forged pages.

What may be is said here once more, in two small tables of the test's own: who has which rights over whom,
and which right a path needs over whose calls. Whatever is not allowed by them must be refused, and its
answer must hold nothing of what it is about.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorderd.panel.sessions import COOKIE
from tests.panel.calls import Call
from tests.panel.conftest import Room, panel_over
from tests.panel.provider import TestProvider, providing
from tests.panel.test_oidc import comes, through

HEADER, PROXY = "X-Remote-User", "10.0.0.5"
ALL = frozenset(("101", "102", "103", "104", "105"))
EVERYTHING = frozenset(("list", "play", "download", "delete", "policy", "press", "audit", "administer"))
USUAL = frozenset(("list", "play", "download", "policy", "press"))

CALLS = (
    Call(number=1, caller="101", callee="102", talk=2, ago=500, name="MARK1X"),
    Call(number=2, caller="103", callee="104", talk=2, ago=400, name="MARK2X"),
    Call(number=3, caller="+7495", callee="105", talk=2, ago=300, name="MARK3X"),
    Call(number=4, caller="102", callee="103", talk=2, ago=200, name="MARK4X"),
)
PEOPLE = {1: {"101", "102"}, 2: {"103", "104"}, 3: {"105"}, 4: {"102", "103"}}


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who tries. `rights` and `scope` are what he has; nothing at all where he is not really in."""

    login: str
    role: str
    rights: frozenset[str] = frozenset()
    scope: frozenset[str] = frozenset()
    user: dict[str, Any] = field(default_factory=dict)
    how: str = "session"
    reason: bool = False


ACTORS = (
    Actor("visitor", "", how="visitor"),
    Actor("stale", "administrator", how="stale"),
    Actor("forged", "administrator", how="forged"),
    Actor("gone", "administrator", how="disabled"),
    Actor("fresh", "administrator", how="must-change"),
    Actor("101", "user", USUAL, frozenset(("101",))),
    Actor("103", "user", USUAL, frozenset(("103",))),
    Actor("102", "user", frozenset(("list",)), frozenset(("102",)), {"rights": ("list",)}),
    Actor("105", "user", frozenset(("list", "play")), frozenset(("105",)), {"rights": ("list", "play")}),
    Actor("lead", "supervisor", USUAL, frozenset(("102", "103")), {"scope": ("@sales",)}),
    Actor("chief", "supervisor", USUAL | {"delete"}, frozenset(("104",)),
          {"scope": ("104",), "rights": ("list", "play", "download", "policy", "press", "delete")}),
    Actor("eye", "auditor", frozenset(("list", "play", "audit")), ALL, reason=True),
    Actor("boss", "administrator", EVERYTHING, ALL),
    Actor("104", "user", USUAL, frozenset(("104",)), {"password": ""}, how="oidc"),
    Actor("seer", "auditor", frozenset(("list", "play", "audit")), ALL, {"password": ""}, how="oidc", reason=True),
    Actor("house", "administrator", EVERYTHING, ALL, how="header"),
    Actor("porter", "supervisor", USUAL, frozenset(("101",)), {"scope": ("101",)}, how="header"),
    # Past the proxy, from a proxy that now names another, and with a provider's word that is forged.
    Actor("past", "administrator", how="header past the proxy"),
    Actor("left", "administrator", how="header no more"),
    Actor("false", "administrator", user={"password": ""}, how="oidc forged"),
    Actor("key", "administrator", frozenset(("list",)), ALL, how="token:list"),
    Actor("key2", "administrator", frozenset(("play", "download")), ALL, how="token:play,download"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Try:
    """One request. `right` is what it takes, over one of `people` (None: over nobody in particular).

    `own`: it is about the one who asks. `changes`: it must not be tried where it would succeed.
    """

    method: str
    path: str
    right: str | None
    people: frozenset[str] | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    changes: bool = False
    hears: bool = False


def tries() -> Iterator[Try]:
    """Everything that there is to try."""
    for call in CALLS:
        people = frozenset(PEOPLE[call.number])
        yield Try("GET", f"/api/v1/calls/{call.linkedid}", "list", people)
        yield Try("GET", f"/calls/{call.linkedid}", "list", people)
        yield Try("GET", f"/api/v1/recordings/r{call.number}", "list", people)
        for prefix, kind in itertools.product(
            ("/media/", "/api/v1/recordings/"), ("", "/download", "/peaks")
        ):
            right = "download" if kind == "/download" else "play"
            tail = "/media" if "api" in prefix and not kind else kind
            for bounds in ("", "bytes=0-9", "bytes=-10", "bytes=99999999-"):
                headers = {"Range": bounds} if bounds else {}
                yield Try("GET", f"{prefix}r{call.number}{tail}", right, people, headers=headers, hears=True)
            if not kind:
                yield Try("HEAD", f"{prefix}r{call.number}{tail}", right, people, hears=True)
        heard = {"ranges": [[0, 1000]]}
        yield Try("POST", f"/media/r{call.number}/heard", "play", people, heard)
        yield Try("POST", f"/api/v1/recordings/r{call.number}/heard", "play", people, heard)
        gone = {"reason": "x"}
        yield Try("DELETE", f"/api/v1/recordings/r{call.number}", "delete", people, gone, changes=True)
    for extension in sorted(ALL):
        only = frozenset((extension,))
        yield Try("GET", f"/api/v1/calls?extension={extension}", "list", only)
        yield Try("GET", f"/api/v1/calls.csv?extension={extension}", "list", only)
        yield Try("GET", f"/?of={extension}", "list", only)
    for path, right in PLACES.items():
        yield Try("GET", path, right)
    for method, path, right, body in CHANGES:
        yield Try(method, path, right, body=body, changes=True)


# What needs a right over nobody in particular.
PLACES = {
    "/api/v1/calls": "list",
    "/api/v1/users": "administer",
    "/api/v1/webhooks": "administer",
    "/api/v1/extensions": "administer",
    "/api/v1/policy/csv": "administer",
    "/api/v1/policy/yaml": "administer",
    "/api/v1/rules": "administer",
    "/api/v1/audit": "audit",
    "/api/v1/coverage": "audit",
    "/api/v1/status": "audit",
    "/api/v1/alarms": "audit",
    "/admin/users": "administer",
    "/admin/extensions": "administer",
    "/admin/rules": "administer",
    "/admin/webhooks": "administer",
    "/admin/audit": "audit",
    "/admin/coverage": "audit",
    "/admin/status": "audit",
}
CHANGES: tuple[tuple[str, str, str, Any], ...] = (
    ("POST", "/api/v1/users", "administer", {"login": "evil", "role": "administrator"}),
    ("PATCH", "/api/v1/users/101", "administer", {"role": "administrator"}),
    ("PATCH", "/api/v1/users/boss", "administer", {"role": "user"}),
    ("POST", "/api/v1/users/boss/code", "administer", None),
    ("PUT", "/api/v1/users/boss/disabled", "administer", {"disabled": True}),
    ("POST", "/api/v1/webhooks", "administer", {"url": "http://evil.example", "events": ["alarm"]}),
    ("PATCH", "/api/v1/extensions", "administer", {"extensions": ["104"], "change": {"inbound": "never"}}),
    ("DELETE", "/api/v1/extensions/104", "administer", None),
    ("POST", "/api/v1/policy", "administer", {"text": "rules: []", "form": "yaml", "replace": True}),
    ("PUT", "/api/v1/rules", "administer", {"text": "rules: []"}),
    ("POST", "/api/v1/what-if", "administer", {"text": "rules: []"}),
    ("POST", "/api/v1/explain", "administer", {"caller": "101", "callee": "102"}),
)
# Guesses and tricks: nobody gets anything for them.
TRICKS = (
    "/media/r0", "/media/r999", "/media/r1%00", "/media/..%2f..%2f..%2fetc%2fpasswd", "/media/%2e%2e/r2",
    "/media/internal-1.wav", "/media/r1;r2", "/media/r1%0d%0aX:y", "/media//r1", "/media/R1", "/media/r1/",
    "/media/r1.wav", "/media/" + "r" * 5000, "/media/r1/%2e%2e/r2/download", "/media/*", "/media/%25",
    "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd",
    "/api/v1/recordings/r999/media", "/api/v1/recordings/..%2f..%2fsecret/media",
    "/api/v1/recordings/%00/media",
    "/api/v1/calls/0.0", "/api/v1/calls/%27%20OR%201=1", "/api/v1/calls/1%20UNION%20SELECT",
    "/api/v1/../admin/users", "/%2e%2e/admin",
)  # fmt: skip


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with providing() as found:
        found.people = {login: {"preferred_username": login} for login in ("104", "seer", "false")}
        yield found


@pytest.fixture
async def room(tmp_path: Path, provider: TestProvider) -> AsyncIterator[Room]:
    settings = replace(through(provider), user_header=HEADER, proxies=(PROXY,))
    async with panel_over("memory:", tmp_path, panel=settings) as made:
        # As the provider has it, or none of its tokens would be of now.
        made.clock.now = time.time()
        for call in CALLS:
            await made.keep(*call.rows())
            made.sound(call.recording)
        for actor in ACTORS:
            if actor.role:
                await made.user(actor.login, actor.role, **actor.user)
        yield made


async def enter(room: Room, actor: Actor) -> httpx.AsyncClient:
    """A browser or a machine, in the state that the actor is in."""
    if actor.how == "visitor":
        return room.visitor()
    if actor.how.startswith(("header", "oidc")):
        return await enter_by_anothers_word(room, actor)
    client = await room.signed_in(actor.login)
    match actor.how.partition(":"):
        case ("stale", _, _):
            token = client.cookies[COOKIE]
            await client.delete("/api/v1/session")
            client.cookies.set(COOKIE, token, domain="panel.test")
        case ("forged", _, _):
            client.cookies.set(COOKIE, "A" * 43, domain="panel.test")
        case ("disabled", _, _):
            await room.store.panel.change_user(actor.login, disabled=True)
        case ("must-change", _, _):
            await room.store.panel.change_user(actor.login, must_change=True)
        case ("token", _, scopes):
            wanted = {"name": "x", "scopes": scopes.split(",")}
            token = (await client.post("/api/v1/tokens", json=wanted)).json()["token"]
            client = room.visitor()
            client.headers["Authorization"] = f"Bearer {token}"
    return await said_why(client, actor)


async def enter_by_anothers_word(room: Room, actor: Actor) -> httpx.AsyncClient:
    """The same by the word of the proxy, or of the provider."""
    way, _blank, crooked = actor.how.partition(" ")
    client = room.visitor(PROXY if way == "header" else "192.0.2.1")
    if way == "header":
        client.headers[HEADER] = actor.login
        await client.get("/login")
    else:
        await comes(
            room, actor.login, client=client, change=dict if not crooked else lambda q: q | {"state": "x"}
        )
    if crooked == "past the proxy":
        past = room.visitor("192.0.2.1")
        past.headers[HEADER] = actor.login
        past.cookies.update(client.cookies)
        client = past
    if crooked == "no more":
        client.headers[HEADER] = "house"
    mine = await client.get("/api/v1/me")
    if mine.status_code == 200:
        client.headers["X-CSRF-Token"] = mine.json()["csrf"]
    assert (mine.status_code == 200) is not bool(crooked)
    return await said_why(client, actor)


async def said_why(client: httpx.AsyncClient, actor: Actor) -> httpx.AsyncClient:
    if actor.reason:
        for call in CALLS:
            await client.post(f"/api/v1/recordings/r{call.number}/reason", json={"reason": "x"})
    return client


def allowed(actor: Actor, attempt: Try) -> bool:
    """What the two tables say."""
    if attempt.right not in actor.rights:
        return False
    # Pages are for people.
    if actor.how.startswith("token") and not attempt.path.startswith(("/api/", "/media/")):
        return False
    return attempt.people is None or bool(attempt.people & actor.scope)


def marks_out_of_sight(actor: Actor) -> list[bytes]:
    """What no answer to him may hold."""
    hidden = [n for n, people in PEOPLE.items() if "list" not in actor.rights or not people & actor.scope]
    return [f"MARK{n}X".lower().encode() for n in hidden]


async def test_nobody_gets_what_is_not_his(room: Room) -> None:
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    sounds = {n: (room.config.spool.monitor / c.recording.folder / c.recording.name).read_bytes()[44:]
              for n, c in enumerate(CALLS, 1)}  # fmt: skip
    for actor in ACTORS:
        client = await enter(room, actor)
        for attempt, trick in [(t, "") for t in tries()] + [
            (Try("GET", path, None), path) for path in TRICKS
        ]:
            may = not trick and allowed(actor, attempt)
            if may and attempt.changes:
                continue
            for shown in ("ours", "none", "cross") if attempt.method not in ("GET", "HEAD") else ("ours",):
                answer = await send(client, attempt, shown)
                counts["requests"] += 1
                expected = may and (shown == "ours" or actor.how.startswith("token"))
                fault = judge(actor, attempt, answer, expected, sounds)
                counts["allowed"] += expected
                if fault:
                    wrong.append(f"{actor.login} {attempt.method} {attempt.path} ({shown}): {fault}")
    assert wrong == []
    assert counts["requests"] >= 2000, counts
    assert counts["allowed"] >= 300, counts
    # Nothing has changed in all of it.
    assert {r.id for r in await room.store.recordings() if r.state == "closed"} == {"r1", "r2", "r3", "r4"}
    assert await room.store.panel.user("evil") is None
    assert (await room.store.load_policy()).version == 0
    assert await room.store.panel.webhooks() == []
    trail = await room.store.panel.audit_page({}, limit=10_000)
    assert len(trail) >= 300
    assert {row.at for row in trail} == {room.clock()}


async def send(client: httpx.AsyncClient, attempt: Try, shown: str) -> httpx.Response:
    headers = dict(attempt.headers)
    request = client.build_request(attempt.method, attempt.path, json=attempt.body, headers=headers)
    if shown == "none":
        request.headers.pop("X-CSRF-Token", None)
    if shown == "cross":
        request.headers["Sec-Fetch-Site"] = "cross-site"
    return await client.send(request)


def judge(
    actor: Actor, attempt: Try, answer: httpx.Response, expected: bool, sounds: dict[int, bytes]
) -> str:
    """What is wrong with an answer; empty when nothing is."""
    status = answer.status_code
    if status >= 500 and not (status == 503 and "reachable" in answer.text):
        return f"server error {status}"
    if expected and status not in (200, 204, 206, 416):
        return f"refused with {status}: {answer.text[:200]}"
    if not expected and status < 300 and not _harmless(attempt, answer):
        return f"allowed with {status}: {answer.text[:200]}"
    if not expected and any(sound[:64] in answer.content for sound in sounds.values()):
        return "the sound went out"
    lower = answer.content.lower()
    leaked = [mark for mark in marks_out_of_sight(actor) if mark in lower]
    return f"leaked {leaked}" if leaked else ""


def _harmless(attempt: Try, answer: httpx.Response) -> bool:
    """An empty list is no leak; what is normalised to a page that everybody may see is none either."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        return answer.json().get("rows") == []
    return attempt.path.startswith("/?of=") and b"r1" not in answer.content
