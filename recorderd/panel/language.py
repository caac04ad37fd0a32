"""The sentence in the reader's language: owns which language this request speaks.

Must not know any sentence. A language is a folder of `locale` with a compiled catalogue; English is the
source and needs none. The app calls `use` at the beginning of each request; whoever makes a sentence calls
`_`.
"""

from __future__ import annotations

import gettext as _gettext
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LOCALE = Path(__file__).with_name("locale")
LANGUAGES = {"en": "English", "ru": "Русский"}
DEFAULT = "en"

_current: ContextVar[str] = ContextVar("language", default=DEFAULT)


def use(language: str) -> str:
    """Speak this language from here on, in this task; one we do not have is English. What it became."""
    known = language if language in LANGUAGES else DEFAULT
    _current.set(known)
    return known


def current() -> str:
    """The language of this request."""
    return _current.get()


def choose(accepted: str) -> str:
    """The first language of an Accept-Language header that we have, else English."""
    for part in accepted[:200].split(","):
        word = part.partition(";")[0].strip().lower().partition("-")[0]
        if word in LANGUAGES:
            return word
    return DEFAULT


def _(sentence: str) -> str:
    """The sentence in the reader's language."""
    return _catalogue(_current.get()).gettext(sentence)


def ngettext(one: str, many: str, count: int) -> str:
    """The same, in the form that the number wants."""
    return _catalogue(_current.get()).ngettext(one, many, count)


@cache
def _catalogue(language: str) -> _gettext.NullTranslations:
    return _gettext.translation("panel", LOCALE, [language], fallback=True)
