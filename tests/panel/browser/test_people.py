"""Who may what, as each sees it: first logins, locked values, auditors, supervisors, administrators."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.panel.browser.chromium import Visitor
from tests.panel.browser.house import PASSWORD, House

Comes = Callable[..., Visitor]


def test_a_one_time_code_leads_to_a_password_and_works_once(comes: Comes) -> None:
    admin = comes("admin").goes_to("/admin/users")
    admin.fill("#u-login", "104")
    admin.fill("#u-name", "Clara de Vries")
    admin.click("button:has-text('Add')")
    code = admin.inner_text(".secret code")
    guest = comes()
    page = guest.signs_in("104", code)
    expect(page).to_have_url(re.compile("/password$"))
    page.goto(guest.address + "/")
    expect(page).to_have_url(re.compile("/password$"))
    for new, fault in (("104", "at least 8"), ("104-104-104", "not a password")):
        page.fill("#new", new)
        page.fill("#again", new)
        page.click("button.primary")
        expect(page.locator("#fault-new")).to_contain_text(fault)
    page.fill("#new", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button.primary")
    expect(page.locator("h1")).to_have_text("Calls")
    again = comes().signs_in("104", code)
    expect(again.locator(".fault")).to_contain_text("do not go together")


def test_a_locked_value_is_greyed_with_the_administrators_reason(comes: Comes) -> None:
    page = comes("103").goes_to("/settings")
    expect(page.locator(".locked")).to_contain_text("works council")
    assert page.locator("[name=inbound]:enabled").count() == 0
    expect(page.locator("[name=inbound][value=never]")).to_be_checked()
    expect(page.locator("main form button.primary")).to_have_count(0)


def test_an_auditor_says_why_before_he_listens(comes: Comes) -> None:
    page = comes("auditor").goes_to("/")
    page.click(".play >> nth=0")
    expect(page.locator(".player")).to_have_count(0)
    page.fill(".reason input[name=reason]", "complaint 4711")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.player.ready')?.player.audio.currentTime > 0")
    log = comes("admin").goes_to("/admin/audit?action=reason")
    expect(log.locator("tbody tr").first).to_contain_text("complaint 4711")


def test_a_user_has_no_administration(comes: Comes) -> None:
    guest = comes("107")
    expect(guest.page.locator("text=Administration")).to_have_count(0)
    answer = guest.page.goto(guest.address + "/admin/users")
    assert answer is not None
    assert answer.status == 403
    expect(guest.page.locator("main")).to_contain_text("You may not do that.")


def test_a_supervisor_chooses_whose_calls_he_sees(comes: Comes) -> None:
    page = comes("lead").page
    page.click(".hints summary")
    page.fill("#f-of", "101")
    page.click(".grid button")
    expect(page.locator("h1")).to_contain_text("101")
    for row in page.locator("table.calls tbody").all():
        assert "101" in row.inner_text()


def test_an_administrator_deletes_with_a_reason_and_the_row_stays(comes: Comes) -> None:
    page = comes("admin").page
    row = page.locator("table.calls tbody:has(.play)").last
    id = row.get_attribute("data-call")
    page.goto(page.url.rstrip("/") + f"/calls/{id}")
    page.click("text=Delete …")
    page.fill("#reason", "asked for by the caller")
    page.click("button.danger")
    expect(page.locator(".no-sound")).to_contain_text("no longer kept")
    expect(page.locator(".no-sound")).to_contain_text("asked for by the caller")
    expect(page.locator(".player")).to_have_count(0)


def test_buttons_of_a_live_call_act_and_say_what_came_of_it(comes: Comes, house: House) -> None:
    page = comes("107").page
    page.click(".live button.start")
    expect(page.locator(".live-said")).to_have_text("Recording.")
    expect(page.locator(".live button.stop")).to_be_visible()
    assert house.daemon.presses[-1][0] == "start"
    assert house.daemon.presses[-1][2] == "107"
    page.click(".live button.stop")
    expect(page.locator(".live button.start")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "state", "button"),
    [
        ("en", "buffered: kept only if somebody presses", "Keep the whole call"),
        ("ru", "придерживается: сохранится, только если нажать", "Сохранить весь разговор"),
    ],
)
def test_a_buffered_call_is_called_so_and_its_button_keeps_it(
    comes: Comes, house: House, language: str, state: str, button: str
) -> None:
    page = comes("admin", language=language).page
    row = page.locator(".live li", has_text="104")
    expect(row.locator(".state")).to_have_text(state)
    row.get_by_role("button", name=button).click()
    expect(row).to_have_class("on")
    expect(row.locator(".state")).not_to_have_text(state)
    assert house.daemon.presses[-1][:2] == ("start", "l3.")
    row.locator("button.stop").click()
    expect(row.locator(".state")).to_have_text(state)


def test_status_follows_by_itself(comes: Comes, house: House) -> None:
    page = comes("admin").goes_to("/admin/status")
    expect(page.locator(".verdict")).to_have_text("All is well.")
    house.daemon.well = False
    try:
        with page.expect_response(lambda r: r.url.endswith("/admin/status")) as asked:
            pass
        assert asked.value.request.headers["x-poll"] == "1"
        expect(page.locator(".verdict")).to_have_text("Something is wrong.")
        expect(page.locator("#status")).to_have_count(1)
        expect(page.locator("h1")).to_have_count(1)
    finally:
        house.daemon.well = True


def test_the_keyboards_place_survives_the_polling(comes: Comes) -> None:
    page = comes("107").page
    page.focus(".live button.start")
    for _round in range(2):
        with page.expect_response(lambda r: r.url.endswith("/live")):
            pass
    page.wait_for_timeout(100)
    assert "start" in page.evaluate("() => document.activeElement.className")


def test_policies_are_changed_in_bulk_and_brought_as_a_file(comes: Comes) -> None:
    guest = comes("admin")
    page = guest.goes_to("/admin/extensions")
    page.fill("#e-more", "201 202")
    page.select_option("#e-inbound", "always")
    page.select_option("#e-outbound", "never")
    page.select_option("#e-locked", "yes")
    page.fill("#e-reason", "new office")
    page.click("button[value=change]")
    expect(page.locator(".said")).to_contain_text("2 extensions are changed")
    expect(page.locator("tr:has-text('202')")).to_contain_text("new office")
    page = guest.goes_to("/admin/extensions/import")
    page.fill("#text", "extension,name,inbound,outbound\n301,Nina,allways,never\n")
    page.click("button.primary")
    expect(page.locator(".fault")).to_contain_text("1 fault, nothing was changed")
    page.fill("#text", "extension,name,inbound,outbound\n301,Nina,always,never\n")
    page.click("button.primary")
    expect(page.locator("tr:has-text('Nina')")).to_contain_text("301")


def test_rules_are_tried_on_real_calls_before_they_hold(comes: Comes) -> None:
    page = comes("admin").goes_to("/admin/rules")
    page.fill("#rules", "rules:\n- name: nobody\n  mode: never\n  reason: a try\n")
    page.click("button[value=try]")
    expect(page.locator("#tried")).to_be_visible()
    expect(page.locator("section:has(#tried) tbody tr").first).to_contain_text("nobody")
    page.goto(page.url)
    assert "nobody" not in page.input_value("#rules")
