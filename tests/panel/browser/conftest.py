"""One house and one browser for all of these tests; a new visitor for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.panel.browser.chromium import Visitor, chromium, visitor
from tests.panel.browser.house import House, open_house


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def comes(browser: Browser, house: House) -> Iterator[Callable[..., Visitor]]:
    """`comes("107", language="ru", javascript=False)`: somebody signed in; without a login, at the door."""
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def make(login: str = "", *, language: str = "en", **how: Any) -> Visitor:
        found, context = visitor(browser, house.address, locale=language, **how)
        contexts.append(context)
        visitors.append(found)
        if login:
            found.signs_in(login, language=language)
        return found

    yield make
    for context in contexts:
        context.close()
    complaints = [complaint for found in visitors for complaint in found.complaints]
    assert not complaints, complaints
