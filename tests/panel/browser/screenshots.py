"""Photographs every page: light and dark, desktop and telephone; and a few of them in Russian.

    python -m tests.panel.browser.screenshots FOLDER [PAGE ...] [--language ru] [--look phone-dark]

With names after the folder only these pages; with a language only in that; with a look only in that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from tests.panel.browser.chromium import Visitor, chromium, visitor
from tests.panel.browser.house import House, open_house
from tests.panel.browser.pages import SIGHTS, Sight

_LOOKS = {
    "desktop-light": {},
    "desktop-dark": {"dark": True},
    "phone-light": {"telephone": True},
    "phone-dark": {"telephone": True, "dark": True},
}
# What is shown in Russian beside English: where sentences are long, and where dates, numbers and plurals stand.
RUSSIAN = (
    "login",
    "calls-everybody",
    "player",
    "call-opened",
    "settings",
    "coverage",
    "storage",
    "extensions",
)


def photograph(
    house: House, browser: Browser, folder: Path, names: Sequence[str], language: str, looks: Sequence[str]
) -> None:
    """One picture of each page in each look."""
    folder.mkdir(parents=True, exist_ok=True)
    tail = "" if language == "en" else f"-{language}"
    for look in looks:
        guests: dict[str, Visitor] = {}
        for name in names:
            sight = SIGHTS[name]
            if sight.who not in guests:
                guests[sight.who], _context = visitor(browser, house.address, locale=language, **_LOOKS[look])
                if sight.who:
                    guests[sight.who].signs_in(sight.who, language=language)
            _shoot(guests[sight.who], sight, folder / f"{name}-{look}{tail}.png")


def _shoot(guest: Visitor, sight: Sight, path: Path) -> None:
    page = guest.goes_to(sight.path)
    sight.deed(page)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=str(path))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="scripts/screenshots", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="only these pages")
    parser.add_argument("--language", choices=("en", "ru"))
    parser.add_argument("--look", action="append", choices=tuple(_LOOKS))
    args = parser.parse_args()
    wanted = {"en": args.names or list(SIGHTS), "ru": args.names or list(RUSSIAN)}
    if args.language:
        wanted = {args.language: args.names or list(SIGHTS)}
    with tempfile.TemporaryDirectory() as there, open_house(Path(there)) as house, chromium() as browser:
        for language, names in wanted.items():
            photograph(house, browser, args.folder, names, language, args.look or tuple(_LOOKS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
