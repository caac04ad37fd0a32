"""The system as it was first described, sentence by sentence: each is a test, named after it.

A real browser before the panel, beside a real Asterisk with recorderd and telephones that really talk; in
both languages.
"""

from __future__ import annotations

import asyncio
import re
import threading
import wave
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from recorderd.core.policy import Mode
from tests.live.asterisk import free_port
from tests.live.panel import PanelProcess
from tests.live.scene import Scene, hang_up, scene, talk
from tests.panel.browser.chromium import visitor

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

T = TypeVar("T")
PASSWORD = "three quiet owls"
LONG = 61.0
POLICY = {"101": "always", "102": "always", "107": "always", "104": "on-demand"}
OUTSIDE = "0612345678"


@dataclass(frozen=True)
class Words:
    """What the pages say in one language, as far as these tests read it."""

    code: str
    language: str
    panel: str
    button: str
    columns: tuple[str, ...]
    settings: str
    monitor: str
    choices: tuple[str, ...]
    saved: str
    hours: str
    date: str


WORDS = {
    "en": Words(
        code="en",
        language="English",
        panel="User panel",
        button="Sign in",
        columns=(
            "Date", "Time", "Caller's number", "Source", "Destination", "Seconds", "Policy", "Monitor",
        ),
        settings="Settings",
        monitor="Call monitor settings",
        choices=("always", "selectively (on demand)", "not at all"),
        saved="Saved.",
        hours=r"about ([\d,]+) hours",
        date=r"\d\d [A-Z][a-z]{2} \d{4}",
    ),
    "ru": Words(
        code="ru",
        language="Русский",
        panel="Панель пользователя",
        button="Войти",
        columns=(
            "Дата", "Время", "Номер звонившего", "Источник", "Назначение", "Секунд", "Политика", "Монитор",
        ),
        settings="Настройки",
        monitor="Настройки монитора вызовов",
        choices=("всегда", "выборочно (по требованию)", "не записывать"),
        saved="Сохранено.",
        hours=r"около ([\d\s]+) час",
        date=r"\d\d\.\d\d\.\d{4}",
    ),
}  # fmt: skip


@pytest.fixture(params=["en", "ru"])
def words(request: pytest.FixtureRequest) -> Words:
    return WORDS[request.param]


def away(work: Callable[[], Awaitable[T]]) -> T:
    """Run this in a loop of its own: the browser's driver has taken this thread's."""
    box: dict[str, Any] = {}

    def run() -> None:
        try:
            box["answer"] = asyncio.run(_coroutine(work))
        except BaseException as error:
            box["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in box:
        raise box["error"]
    return box["answer"]  # type: ignore[no-any-return]


async def _coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


@dataclass
class Station:
    """The station whose address a person opens: PBX, recorder, panel, and calls of the past minute."""

    scene: Scene
    panel: PanelProcess


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    ready, over = threading.Event(), threading.Event()
    box: dict[str, Any] = {}
    thread = threading.Thread(target=_stand, args=(tmp_path_factory.mktemp("station"), box, ready, over))
    thread.start()
    ready.wait()
    try:
        if "station" not in box:
            pytest.fail(f"the station did not come up: {box.get('error')!r}")
        yield box["station"]
    finally:
        over.set()
        thread.join()


def _stand(folder: Path, box: dict[str, Any], ready: threading.Event, over: threading.Event) -> None:
    """In a thread, for its loops: the browser's driver has taken the other's."""
    try:
        with scene(22, folder, POLICY, daemon={"panel": {"port": free_port()}}) as house:
            panel = PanelProcess(house.daemon)
            asyncio.run(_calls(house))
            asyncio.run(_started(panel))
            box["station"] = Station(house, panel)
            ready.set()
            over.wait()
            asyncio.run(panel.stop())
    except Exception as error:
        box["error"] = error
        raise
    finally:
        ready.set()


async def _started(panel: PanelProcess) -> None:
    await panel.start()


async def _calls(house: Scene) -> None:
    """101 is called from outside, calls 107 for more than a minute, and 102 calls 107 for a moment."""
    async with house.phones() as phones:
        trunk, one, two, seven = [await phones(n) for n in ("trunk", "101", "102", "107")]
        call = await trunk.call("5550101", caller=OUTSIDE, name="Иван")
        other = await one.ringing()
        await other.answer()
        await call.up()
        await asyncio.sleep(2.0)
        await hang_up(call, other)
        missed = await two.call("101")
        ringing = await one.ringing()
        await asyncio.sleep(0.3)
        await missed.cancel()
        await ringing.ended()
        await talk(phones, one, seven, LONG)
        await talk(phones, two, one, 3.0)
    await house.daemon.quiet()


@pytest.fixture
def person(browser: Browser, station: Station, words: Words) -> Iterator[tuple[Page, Station]]:
    """A person with a browser who speaks that language, at the calls of extension 101."""
    guest, context = visitor(browser, station.panel.address, locale=words.code)
    _comes_in(guest.page, station, words)
    yield guest.page, station
    context.close()
    assert not guest.complaints


_known: set[str] = set()


def _comes_in(page: Page, station: Station, words: Words, login: str = "101") -> None:
    """The first time with a one-time code and a new password, afterwards with the password."""
    first = f"{station.panel.port}/{login}" not in _known
    secret = station.panel.add_user(login) if first else PASSWORD
    page.goto(station.panel.address)
    page.fill("[name=login]", login)
    page.fill("[name=secret]", secret)
    page.select_option("[name=language]", label=words.language)
    page.click("form button.primary")
    if first:
        page.fill("#new", PASSWORD)
        page.fill("#again", PASSWORD)
        page.click("button.primary")
        _known.add(f"{station.panel.port}/{login}")
    page.wait_for_selector("section#calls")


def _rows(page: Page) -> list[list[str]]:
    """The list as a person reads it: the texts of the cells of each row."""
    rows = page.locator("table.calls tbody > tr:first-child").all()
    return [row.locator("> td").all_inner_texts() for row in rows]


# --- in that description a person -----------------------------------------------------------------------


def test_a_person_opens_the_address_chooses_the_user_panel_gives_extension_and_password_chooses_the_language_and_presses_the_button(  # noqa: E501
    browser: Browser, station: Station, words: Words
) -> None:
    context: BrowserContext = browser.new_context(locale=words.code)
    page = context.new_page()
    _comes_in(page, station, words)
    page.click("form[action='/logout'] button")
    page.goto(station.panel.address)
    page.click(f"text={words.panel}")
    page.fill("[name=login]", "101")
    page.fill("[name=secret]", PASSWORD)
    page.select_option("[name=language]", label=words.language)
    page.click(f"button:has-text('{words.button}')")
    expect(page.locator("table.calls")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", words.code)
    context.close()


def test_they_see_their_calls_date_time_callers_number_with_the_internal_number_beneath_source_destination_seconds_and_monitor(  # noqa: E501
    person: tuple[Page, Station], words: Words
) -> None:
    page, _station = person
    assert [t.strip() for t in page.locator("table.calls th").all_inner_texts()] == list(words.columns)
    rows = _rows(page)
    assert len(rows) == 4
    for row in rows:
        assert re.fullmatch(words.date, row[0].strip())
        assert re.fullmatch(r"\d\d:\d\d:\d\d", row[1].strip())
    newest, long, missed, outside = rows
    assert "102" in newest[2]
    assert (newest[3].strip(), newest[4].strip(), newest[5].strip()) == ("102", "101", "3")
    assert (long[3].strip(), long[4].strip()) == ("101", "107")
    assert 60 <= int(long[5]) <= 63
    assert not missed[5].strip().isdigit()
    assert OUTSIDE in outside[2]
    assert OUTSIDE in outside[3]
    assert outside[4].strip() == "101"
    assert page.locator("table.calls tbody").first.locator("td.monitor a").count() == 2
    beneath = page.locator("table.calls tbody").first.locator(".caller .beneath .ext")
    expect(beneath).to_have_text("102")


def test_one_icon_opens_a_player_under_the_row_in_which_the_recording_can_be_played_and_moved_through(
    person: tuple[Page, Station],
) -> None:
    page, _station = person
    page.locator("table.calls tbody").first.locator(".play").click()
    expect(page.locator("table.calls tbody").first.locator(".under .player")).to_be_visible()
    page.wait_for_function("() => document.querySelector('.player.ready')?.player.audio.currentTime > 0")
    page.wait_for_function("() => document.querySelector('.player').player.lanes")
    page.focus(".wave")
    page.keyboard.press("Home")
    page.evaluate("() => document.querySelector('.player').player.audio.pause()")
    box = page.locator(".wave").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    at = page.evaluate("() => document.querySelector('.player').player.audio.currentTime")
    assert 1.0 < at < 2.0


def test_the_other_icon_saves_the_file_to_disk(person: tuple[Page, Station], tmp_path: Path) -> None:
    page, station = person
    with page.expect_download() as saving:
        page.locator("table.calls tbody").first.locator(".save").click()
    saved = tmp_path / "saved.wav"
    saving.value.save_as(saved)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d-\d\d-\d\d 102 - 101\.wav", saving.value.suggested_filename)
    assert saved.read_bytes() in [file.read_bytes() for file in station.scene.files()]
    with wave.open(str(saved)) as sound:
        assert 2.8 < sound.getnframes() / sound.getframerate() < 3.5


def test_a_filter_narrows_the_list_to_everything_that_mentions_107(person: tuple[Page, Station]) -> None:
    page, _station = person
    page.fill("#q", "107")
    page.keyboard.press("Enter")
    expect(page.locator("table.calls tbody")).to_have_count(1)
    assert "107" in " ".join(_rows(page)[0])


def test_or_to_everything_that_mentions_107_and_lasted_more_than_60_seconds(
    person: tuple[Page, Station],
) -> None:
    page, station = person
    for line in ("107 >60s", "107 duration>60"):
        page.fill("#q", line)
        page.keyboard.press("Enter")
        expect(page.locator("table.calls tbody")).to_have_count(1)
        assert int(_rows(page)[0][5]) >= 60
    page.goto(station.panel.address + "/?q=102+%3E60s")
    expect(page.locator("table.calls")).to_have_count(0)


def test_under_settings_call_monitor_settings_each_user_chooses_whether_incoming_and_outgoing_calls_are_recorded_always_selectively_or_not_at_all(  # noqa: E501
    person: tuple[Page, Station], words: Words
) -> None:
    page, station = person
    page.click(f"nav >> text={words.settings}")
    expect(page.locator("h2").first).to_contain_text(words.monitor)
    for way in ("inbound", "outbound"):
        offered = page.locator(f"fieldset:has([name={way}]) label span").all_inner_texts()
        assert tuple(text.strip() for text in offered) == words.choices
    page.check("[name=inbound][value=never]", force=True)
    page.click("main form button.primary")
    expect(page.locator(".said")).to_contain_text(words.saved)
    recorded = len(station.scene.files())
    _in_force(station, Mode.NEVER)
    _is_called(station)
    assert len(station.scene.files()) == recorded
    page.check("[name=inbound][value=always]", force=True)
    page.click("main form button.primary")
    _in_force(station, Mode.ALWAYS)
    _is_called(station)
    assert len(station.scene.files()) == recorded + 1


def _in_force(station: Station, mode: Mode) -> None:
    """Wait until the daemon decides so: the issue allows it a second, this machine a little more."""

    async def decided() -> None:
        from tests.live.daemon import until

        def says() -> bool:
            question = {"caller": "102", "callee": "101", "at": 0.0}
            told = station.scene.daemon.control.explain(question)
            return any(f"101 chose {mode}" in line for line in told["trace"])

        await until(says, f"101 chose {mode}", 5.0)

    away(decided)


def _is_called(station: Station) -> None:
    """From outside, so that 101 alone decides."""

    async def ring() -> None:
        async with station.scene.phones() as phones:
            trunk, one = await phones("trunk"), await phones("101")
            call = await trunk.call("5550101", caller=OUTSIDE)
            other = await one.ringing()
            await other.answer()
            await call.up()
            await asyncio.sleep(1.0)
            await hang_up(call, other)
        await station.scene.daemon.quiet()

    away(ring)


def test_last_comes_how_long_recordings_can_be_kept_250_gb_about_19000_hours_500_gb_40000_1_tb_80000_at_5_minutes_per_mb(  # noqa: E501
    browser: Browser, station: Station, words: Words
) -> None:
    login = f"boss-{words.code}"
    code = station.panel.add_user(login, "--role", "administrator")
    context = browser.new_context(locale=words.code)
    page = context.new_page()
    page.goto(station.panel.address)
    page.fill("[name=login]", login)
    page.fill("[name=secret]", code)
    page.select_option("[name=language]", label=words.language)
    page.click("form button.primary")
    page.fill("#new", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button.primary")
    for disk, hours in ((250, 19_000), (500, 40_000), (1000, 80_000)):
        page.goto(f"{station.panel.address}/admin/storage?disk={disk}&minutes=5")
        found = re.search(words.hours, page.inner_text("output"))
        assert found
        told = int(re.sub(r"\D", "", found[1]))
        assert abs(told - hours) / hours < 0.05
    context.close()


# --- and what that description takes for granted ----------------------------------------------------------


def test_a_call_that_goes_on_stands_on_top_and_its_button_records_it(
    person: tuple[Page, Station], browser: Browser, words: Words
) -> None:
    _page, station = person
    guest, context = visitor(browser, station.panel.address, locale=words.code)
    page = guest.page
    _comes_in(page, station, words, "104")
    before = len(station.scene.files())
    talking, done = threading.Event(), threading.Event()

    async def ring() -> None:
        async with station.scene.phones() as phones:
            four, trunk = await phones("104"), await phones("trunk")
            call, other = await phones.connect(four, trunk, f"9{OUTSIDE}")
            talking.set()
            await asyncio.to_thread(done.wait)
            await hang_up(call, other)
        await station.scene.daemon.quiet()

    thread = threading.Thread(target=lambda: asyncio.run(ring()))
    thread.start()
    try:
        assert talking.wait(20)
        expect(page.locator(".live li")).to_have_count(1)
        page.click(".live button.start")
        expect(page.locator(".live li.on")).to_have_count(1)
        page.wait_for_timeout(1500)
        page.click(".live button.stop")
        expect(page.locator(".live button.start")).to_be_visible()
    finally:
        done.set()
        thread.join()
    assert len(station.scene.files()) == before + 1
    # The list follows by itself.
    expect(page.locator("table.calls tbody:has(.play)").first).to_be_visible(timeout=15_000)
    context.close()
