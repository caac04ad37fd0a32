"""With JavaScript off the list, filter, playback, download and settings still work."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.panel.browser.chromium import Visitor

Comes = Callable[..., Visitor]


def test_the_list_and_its_pages(comes: Comes) -> None:
    page = comes("admin", javascript=False).page
    expect(page.locator("table.calls tbody")).to_have_count(42)
    expect(page.locator("table.calls tbody").first).to_contain_text("74951234567")


def test_the_filter_as_a_line_and_as_a_form(comes: Comes) -> None:
    guest = comes("107", javascript=False)
    page = guest.page
    everything = page.locator("table.calls tbody").count()
    page.fill("#q", "107 >60s")
    with page.expect_navigation():
        page.click(".filter .line button")
    long = page.locator("table.calls tbody")
    assert 0 < long.count() < everything
    assert all(int(cell) >= 60 for cell in page.locator("td.seconds").all_inner_texts())
    page.click("summary:has-text('More criteria')")
    page.fill("[name=longer]", "")
    page.select_option("[name=direction]", "missed")
    with page.expect_navigation():
        page.click(".grid button")
    texts = page.locator("td.seconds").all_inner_texts()
    assert texts
    assert set(texts) == {"missed"}
    assert "missed" in page.input_value("#q")


def test_a_faulty_filter_is_answered_with_a_sentence(comes: Comes) -> None:
    page = comes("107", javascript=False).page
    page.fill("#q", ">60parsecs")
    page.click(".filter .line button")
    expect(page.locator(".fault")).to_contain_text(">60parsecs")
    expect(page.locator("#q")).to_have_value(">60parsecs")


def test_playback_under_the_row(comes: Comes) -> None:
    guest = comes("107", javascript=False)
    page = guest.page
    page.click("tbody:has(.parts) .play")
    sound = page.locator("tbody:has(.parts) .under audio[controls]").first
    expect(sound).to_be_visible()
    src = sound.get_attribute("src")
    answer = page.request.get(f"{guest.address}{src}", headers={"Range": "bytes=44-8043"})
    assert answer.status == 206
    assert len(answer.body()) == 8000


def test_download_has_a_good_name_and_is_the_whole_recording(comes: Comes, tmp_path: Path) -> None:
    page = comes("107", javascript=False).page
    with page.expect_download() as saving:
        page.click("tbody:has(.parts) .save")
    saved = tmp_path / "saved.wav"
    saving.value.save_as(saved)
    assert saving.value.suggested_filename.endswith("74951234567 - 107.wav")
    with wave.open(io.BytesIO(saved.read_bytes())) as sound:
        assert sound.getnframes() == 31.2 * 8000


def test_an_entry_opens_into_its_intervals_on_a_page_of_its_own(comes: Comes) -> None:
    page = comes("107", javascript=False).page
    page.click("tbody:has(.parts) .opener")
    expect(page.locator("h1")).to_contain_text("74951234567 → 107")
    expect(page.locator(".course tbody").first.locator("tr")).to_have_count(2)
    expect(page.locator(".trace li").first).to_contain_text("107 chose always for inbound calls: wins")


def test_settings(comes: Comes) -> None:
    page = comes("107", javascript=False).page
    page.click("nav >> text=Settings")
    page.check("[name=outbound][value=never]", force=True)
    page.click("main form button.primary")
    expect(page.locator(".said")).to_be_visible()
    expect(page.locator("[name=outbound][value=never]")).to_be_checked()
    page.check("[name=outbound][value=on-demand]", force=True)
    page.click("main form button.primary")
    expect(page.locator("[name=outbound][value=on-demand]")).to_be_checked()


def test_a_press_on_a_call_of_this_moment(comes: Comes) -> None:
    page = comes("107", javascript=False).page
    page.click(".live button.start")
    expect(page.locator(".live button.stop")).to_be_visible()
    page.click(".live button.stop")
    expect(page.locator(".live button.start")).to_be_visible()


def test_the_language_changes_and_is_remembered(comes: Comes) -> None:
    guest = comes("107", javascript=False)
    guest.page.click(".top button[value=ru]")
    expect(guest.page.locator("h1")).to_have_text("Вызовы")
    guest.page.click(".top >> text=Выйти")
    guest.page.fill("[name=login]", "107")
    expect(guest.page.locator("form.stack button")).to_have_text("Войти")
    expect(guest.page.locator("[name=language]")).to_have_value("ru")
    guest.signs_in("107", language="en")
    expect(guest.page.locator("h1")).to_have_text("Calls")
