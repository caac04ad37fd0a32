"""The catalogues: every sentence of the panel is translated, and what is compiled is what is written."""

from __future__ import annotations

import io
import re

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from recorderd.panel.language import DEFAULT, LANGUAGES, LOCALE

ROOM = LOCALE.parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
HOLES = re.compile(r"%\(\w+\)s|%s|\{\w+\}")
TRANSLATED = [code for code in LANGUAGES if code != DEFAULT]
# A language may say a date in its own order, with the month as a word or as a number.
FREE = ("{day} {month} {year}",)


def _sentences() -> set[str | tuple[str, ...]]:
    found = extract_from_dir(str(ROOM), METHODS, keywords=KEYWORDS)
    return {message for _file, _line, message, _comments, _context in found if message}


def _catalogue(code: str) -> Catalog:
    with (LOCALE / code / "LC_MESSAGES" / "panel.po").open("rb") as file:
        return read_po(file)


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_sentence_is_translated(code: str) -> None:
    catalogue = _catalogue(code)
    found = [catalogue.get(s[0] if isinstance(s, tuple) else s) for s in _sentences()]
    assert len(found) > 400
    missing = [s for s, m in zip(_sentences(), found, strict=True) if m is None or not _whole(m)]
    assert not missing


def _whole(message: Message) -> bool:
    said = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return all(said) and not message.fuzzy


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_keeps_the_holes_that_are_filled(code: str) -> None:
    faulty = []
    for message in _catalogue(code):
        if not message.id or message.id in FREE:
            continue
        ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
        said = message.string if isinstance(message.string, tuple | list) else (message.string,)
        wanted = sorted(set(HOLES.findall(ids[-1])))
        faulty += [text for text in said if sorted(set(HOLES.findall(text))) != wanted]
    assert not faulty


@pytest.mark.parametrize("code", TRANSLATED)
def test_what_is_compiled_is_what_is_written(code: str) -> None:
    made = io.BytesIO()
    write_mo(made, _catalogue(code))
    made.seek(0)
    with (LOCALE / code / "LC_MESSAGES" / "panel.mo").open("rb") as compiled:
        # But for the head, which names the version of whatever compiled it.
        held, written = ([(m.id, m.string) for m in read_mo(file) if m.id] for file in (compiled, made))
    assert held == written, "run scripts/translate"
