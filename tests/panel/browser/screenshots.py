"""Photographs every page: light and dark, desktop and telephone.

    python -m tests.panel.browser.screenshots FOLDER [PAGE ...] [--language ru]

With names after the folder only these pages.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.panel.browser.chromium import Visitor, chromium, visitor
from tests.panel.browser.house import House, open_house
from tests.panel.browser.pages import SIGHTS, Sight

_LOOKS = {
    "desktop-light": {},
    "desktop-dark": {"dark": True},
    "phone-light": {"telephone": True},
    "phone-dark": {"telephone": True, "dark": True},
}


def photograph(house: House, folder: Path, names: list[str], language: str) -> None:
    """One picture of each page in each look."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for look, how in _LOOKS.items():
            guests: dict[str, Visitor] = {}
            for name in names:
                sight = SIGHTS[name]
                if sight.who not in guests:
                    guests[sight.who], _context = visitor(browser, house.address, locale=language, **how)
                    if sight.who:
                        guests[sight.who].signs_in(sight.who, language=language)
                _shoot(guests[sight.who], sight, folder / f"{name}-{look}.png")


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
    parser.add_argument("--language", default="en", choices=("en", "ru"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as there, open_house(Path(there)) as house:
        photograph(house, args.folder, args.names or list(SIGHTS), args.language)
    return 0


if __name__ == "__main__":
    sys.exit(main())
