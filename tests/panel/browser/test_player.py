"""The player under a row: seek, skip, speed, keyboard, time marks, segments in turn; what was heard."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.panel.browser.chromium import Visitor

Comes = Callable[..., Visitor]
TRANSFERRED = "tbody:has(.parts)"


def plays(page: Page, row: str = "tbody:has(.play)") -> None:
    """Press play in the first such row, and wait until it sounds."""
    page.click(f"{row} .play >> nth=0")
    page.wait_for_function("() => document.querySelector('.player.ready')?.player.audio.currentTime > 0")


def at(page: Page, number: int = 0) -> float:
    """Where the player is, in seconds."""
    return float(
        page.evaluate(f"() => document.querySelectorAll('.player')[{number}].player.audio.currentTime")
    )


def test_play_opens_a_player_under_the_row_and_a_second_press_closes_it(comes: Comes) -> None:
    page = comes("107").page
    plays(page, TRANSFERRED)
    assert page.locator(f"{TRANSFERRED} .under .player").count() == 2
    play = page.locator(f"{TRANSFERRED} .play")
    expect(play).to_have_attribute("aria-expanded", "true")
    play.click()
    expect(page.locator(".player")).to_have_count(0)
    expect(play).to_have_attribute("aria-expanded", "false")


def test_keys_pause_move_and_close(comes: Comes) -> None:
    page = comes("107").page
    plays(page, TRANSFERRED)
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('.player').player.audio.paused")
    page.focus(".wave >> nth=0")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert at(page) == 10
    page.keyboard.press("ArrowLeft")
    assert at(page) == 5
    expect(page.locator(".wave >> nth=0")).to_have_attribute("aria-valuetext", "0:05 / 0:31")
    page.keyboard.press("Shift+>")
    assert page.evaluate("() => document.querySelector('.player').player.audio.playbackRate") == 1.25
    page.keyboard.press("Escape")
    expect(page.locator(".player")).to_have_count(0)
    assert "play" in page.evaluate("() => document.activeElement.className")


# How many rows of each half of the waveform are painted in some column: as high as its highest bar.
HALVES = """() => {
  const canvas = document.querySelector('.player canvas');
  const { width, height } = canvas;
  const seen = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const half = (from) => {
    const columns = [];
    for (let x = 0; x < width; x++) {
      let painted = 0;
      for (let y = from; y < from + height / 2; y++) if (seen[(y * width + x) * 4 + 3]) painted++;
      columns.push(painted);
    }
    return columns;
  };
  return [half(0), half(Math.floor(height / 2))];
}"""


def test_the_waveform_has_a_lane_for_each_party_with_its_name(comes: Comes) -> None:
    page = comes("107").page
    plays(page, TRANSFERRED)
    page.wait_for_function("() => document.querySelector('.player').player.lanes")
    expect(page.locator(".player >> nth=0 >> .lanes span")).to_have_text(["74951234567", "107"])
    page.evaluate("() => document.querySelector('.player').player.draw()")
    upper, lower = page.evaluate(HALVES)
    assert max(upper) > 15
    assert max(lower) > 15
    # They take turns: where one has a bar, the other mostly has none.
    both = sum(a > 8 and b > 8 for a, b in zip(upper, lower, strict=True))
    one = sum((a > 8) != (b > 8) for a, b in zip(upper, lower, strict=True))
    assert one > 10 * max(both, 1)


def test_a_click_on_the_waveform_and_a_time_mark_seek(comes: Comes) -> None:
    page = comes("107").page
    plays(page, TRANSFERRED)
    page.click(".toggle >> nth=0")
    box = page.locator(".wave >> nth=0").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert abs(at(page) - 15.6) < 0.3
    page.click(".mark:has-text('end of pause')")
    assert abs(at(page) - 19.0) < 0.05


def test_the_waveform_is_drawn(comes: Comes) -> None:
    page = comes("107").page
    plays(page)
    page.wait_for_function("() => document.querySelector('.player').player.lanes")
    painted = page.evaluate(
        """() => {
            const canvas = document.querySelector('.player canvas');
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            let n = 0;
            for (let i = 3; i < data.length; i += 4) if (data[i]) n++;
            return n / (data.length / 4);
        }"""
    )
    assert 0.02 < painted < 0.9


def test_the_segments_of_one_call_are_played_one_after_the_other(comes: Comes) -> None:
    page = comes("107").page
    plays(page, TRANSFERRED)
    page.evaluate("() => document.querySelector('.player').player.seek(30.9)")
    page.wait_for_function("() => document.querySelectorAll('.player')[1].player.audio.currentTime > 0")
    assert page.evaluate("() => document.querySelector('.player').player.audio.paused")


def test_only_one_recording_sounds_at_a_time(comes: Comes) -> None:
    page = comes("107").page
    plays(page)
    page.click("tbody:has(.play) >> nth=1 >> .play")
    page.wait_for_function("() => document.querySelectorAll('.player.playing').length === 1")


def test_what_was_heard_is_in_the_audit_log(comes: Comes) -> None:
    page = comes("107").page
    plays(page, TRANSFERRED)
    page.wait_for_function("() => document.querySelector('.player').player.audio.currentTime > 0.6")
    with page.expect_request(lambda r: r.url.endswith("/heard")) as told:
        page.keyboard.press("Space")
    assert told.value.response() is not None
    assert told.value.response().status == 204  # type: ignore[union-attr]
    admin = comes("admin").goes_to("/admin/audit?action=heard&who=107")
    expect(admin.locator("tbody tr").first).to_contain_text("107")


def test_the_speed_is_kept_while_one_seeks(comes: Comes) -> None:
    page = comes("107").page
    plays(page)
    page.select_option(".speed >> nth=0", "1.5")
    page.click("[data-skip='5'] >> nth=0")
    assert page.evaluate("() => document.querySelector('.player').player.audio.playbackRate") == 1.5
