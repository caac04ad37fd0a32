"""Who has to wait: those who guess, not those who work in one house."""

from __future__ import annotations

from recorderd.panel.throttle import Throttle


def test_an_office_behind_one_address_is_not_locked_out_by_its_own_logins() -> None:
    throttle = Throttle(lambda: 0.0)
    for n in range(200):
        assert throttle.wait(str(n), "office") == 0
        throttle.failed(str(n), "office")
        throttle.succeeded(str(n), "office")


def test_one_right_guess_does_not_forgive_an_address_its_wrong_ones() -> None:
    throttle = Throttle(lambda: 0.0)
    for n in range(30):
        throttle.failed(str(n), "a")
    throttle.succeeded("29", "a")
    assert throttle.wait("new", "a") > 0
