"""Behind a real nginx, as docs/panel.md prints its configuration: TLS, who somebody is, and bytes that flow."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from recorderd.panel.sessions import SECURE_COOKIE
from recorderd.store import open_store
from tests.panel.calls import Call
from tests.panel.conftest import panel_over
from tests.panel.nginx import PERSON, Front, front, line, quiet

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")

CALL = Call(number=1, caller="101", callee="102", talk=4)
LONG = Call(number=2, caller="101", callee="103", talk=4)
LONG_BYTES = 192 << 20


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A panel's folder with two recordings and their people, where nginx's workers may go too."""
    made = Path(tempfile.mkdtemp(prefix="rdnginx-"))
    made.chmod(0o755)
    asyncio.run(_fill(made))
    (made / "people").write_text("101:{PLAIN}x\nboss:{PLAIN}x\n")
    yield made
    shutil.rmtree(made)


async def _fill(folder: Path) -> None:
    (folder / "recorderd.yaml").write_text(
        f"asterisk: {{username: x, secret: y, timezone: Europe/Moscow}}\nstate: {folder}/state\n"
        f"control: {{socket: {folder}/control.sock}}\nstore: {{url: 'sqlite:///{folder}/recorderd.db'}}\n"
        f"spool: {{monitor: {folder}/monitor, lanes: {folder}/lanes}}\n"
    )
    (folder / "recorderd.yaml").chmod(0o600)
    async with panel_over(f"sqlite:///{folder}/recorderd.db", folder) as room:
        for call in (CALL, LONG):
            await room.keep(*call.rows())
            path = room.sound(call.recording)
        with path.open("r+b") as long:
            long.truncate(LONG_BYTES)
        await room.user("101")
        await room.user("boss", "administrator")


@pytest.fixture(scope="module", params=[False, True], ids=["port", "socket"])
def by_name(folder: Path, request: pytest.FixtureRequest) -> Iterator[Front]:
    """nginx asks for a name and a password, and tells the name as the manual says."""
    with front(
        folder, socket=request.param, asking=True, sign_on=line("proxy_set_header X-Remote-User")
    ) as made:
        yield made


def who(browser: httpx.Client) -> str:
    """As whom the panel knows this browser, which goes where it is sent first."""
    browser.get("/login")
    answer = browser.get("/api/v1/me")
    return str(answer.json()["login"]) if answer.status_code == 200 else ""


def test_whom_nginx_knows_is_in_over_tls_and_from_his_own_address(by_name: Front, folder: Path) -> None:
    with by_name.browser("127.0.0.9", **{"X-Forwarded-For": "203.0.113.7"}) as browser:
        browser.auth = PERSON
        answer = browser.get("/login")
        assert SECURE_COOKIE in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"]
        assert who(browser) == "101"

    async def sessions() -> set[tuple[str, str]]:
        store = open_store(f"sqlite:///{folder}/recorderd.db")
        try:
            return {(s.sign_on, s.address) for s in await store.panel.sessions("101")}
        finally:
            await store.close()

    found = asyncio.run(sessions())
    assert ("header", "127.0.0.9") in found
    assert {address for _, address in found} <= {"127.0.0.9", "127.0.0.1"}


@pytest.mark.parametrize("name", ["X-Remote-User", "x-remote-user", "X_Remote_User", "X-REMOTE-USER"])
def test_a_browser_that_says_itself_who_it_is_stays_who_it_is(by_name: Front, name: str) -> None:
    with by_name.browser(**{name: "boss"}) as browser:
        assert browser.get("/login").status_code == 401
        browser.auth = PERSON
        assert who(browser) == "101"
    with by_name.browser() as browser:
        browser.auth = PERSON
        said = [("X-Remote-User", "boss"), ("X-Remote-User", "101"), ("Connection", "X-Remote-User")]
        browser.get("/login", headers=said)
        assert browser.get("/api/v1/me", headers=said).json()["login"] == "101"


def test_where_nginx_asks_for_no_name_its_line_lets_nobody_in(folder: Path) -> None:
    """And without the line the browser's word would count: that is what the line is for."""
    for sign_on, found in ((line("proxy_set_header X-Remote-User"), ""), ("", "boss")):
        with (
            front(folder, socket=False, asking=False, sign_on=sign_on) as made,
            made.browser(**{"X-Remote-User": "boss"}) as browser,
        ):
            assert who(browser) == found


def test_a_part_of_a_recording_is_that_part(by_name: Front, folder: Path) -> None:
    recording = CALL.recording
    whole = (folder / "monitor" / recording.folder / recording.name).read_bytes()
    with by_name.browser() as browser:
        browser.auth = PERSON
        who(browser)
        answer = browser.get("/media/r1")
        assert (answer.status_code, answer.content) == (200, whole)
        part = browser.get("/media/r1", headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
        again = browser.get("/media/r1", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        behind = browser.get("/media/r1", headers={"Range": "bytes=999999999-"})
        assert behind.status_code == 416
        told = browser.head("/media/r1")
        assert (told.status_code, int(told.headers["content-length"])) == (200, len(whole))


def test_a_long_download_waits_for_its_reader_in_the_panel_and_not_on_nginxs_disk(by_name: Front) -> None:
    with by_name.browser() as browser:
        browser.auth = PERSON
        who(browser)
        before = by_name.read_by_the_panel()
        with browser.stream("GET", "/media/r2/download") as answer:
            assert int(answer.headers["content-length"]) == LONG_BYTES
            # Held, or its end would be the end of the connection.
            reading = answer.iter_raw(65536)
            assert next(reading)
            sent = quiet(by_name.read_by_the_panel) - before
    # nginx's file would have no name, so that nobody could see it: what the panel was asked for tells.
    assert sent < LONG_BYTES / 4


def test_a_file_without_a_length_ends_where_it_ends(by_name: Front) -> None:
    with by_name.browser() as browser:
        browser.auth = PERSON
        who(browser)
        answer = browser.get("/calls.csv")
        lines = answer.text.splitlines()
    assert answer.status_code == 200
    assert len(lines) == 3
    assert lines[0].startswith("\ufeffDate,")


def test_a_policy_file_of_the_size_that_the_panel_takes_reaches_it(by_name: Front) -> None:
    with by_name.browser() as browser:
        browser.auth = ("boss", "x")
        who(browser)
        csrf = browser.get("/api/v1/me").json()["csrf"]
        for size, status in ((1_900_000, 422), (5_000_000, 413)):
            body = {"text": "x" * size, "form": "csv"}
            answer = browser.post("/api/v1/policy", json=body, headers={"X-CSRF-Token": csrf})
            assert answer.status_code == status
        assert browser.get("/api/v1/me").status_code == 200
