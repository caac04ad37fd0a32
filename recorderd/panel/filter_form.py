"""A form that means the same as one line of the filter language, and the way back.

Owns the form's fields. Each is written as tokens of the line (`panel.filters`): a filter has one meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from recorderd.panel.filters import LONGEST_LINE, UNITS, Language, keyword, quoted
from recorderd.panel.language import _
from recorderd.panel.ports import FaultyFilter, Filter

# The tokens of the one-line language that a form's field stands for.
FieldTokens = Callable[[Language, str], Iterable[str]]


def read(language: Language, form: Mapping[str, str]) -> Filter:
    """The filter of a form's fields. Raises FaultyFilter, its faults by field."""
    faults: dict[str, str] = {}
    parts: list[str] = []
    for name, tokens in _FIELDS.items():
        given = form.get(name, "").strip()[:LONGEST_LINE]
        try:
            parts += tokens(language, given) if given else ()
        except ValueError as error:
            faults[name] = str(error)
    first, last = form.get("from", "").strip(), form.get("to", "").strip()
    try:
        parts += _dates(language, first, last)
    except ValueError as error:
        faults["from"] = str(error)
    if faults:
        raise FaultyFilter(faults)
    return language.parse(" ".join(parts))


def _dates(language: Language, first: str, last: str) -> list[str]:
    given = [language.days(text)[0].isoformat() if text else "" for text in (first, last)]
    if given == ["", ""]:
        return []
    return [given[0] if given[0] == given[1] else f"{given[0]}..{given[1]}"]


def fields(language: Language, filter: Filter) -> dict[str, str]:
    """The fields of a form that mean the same."""
    first = last = ""
    if filter.since is not None:
        first = datetime.fromtimestamp(filter.since, language.zone).date().isoformat()
    if filter.until is not None:
        last = (datetime.fromtimestamp(filter.until, language.zone).date() - timedelta(days=1)).isoformat()
    return {
        "words": " ".join(quoted(word) for word in filter.words),
        "longer": "" if filter.min_s is None else str(max(filter.min_s - 1, 0)),
        "shorter": "" if filter.max_s is None else str(filter.max_s + 1),
        "from": first,
        "to": last,
        "direction": "missed" if filter.missed else filter.direction,
        "recorded": {None: "", True: "yes", False: "no"}[filter.recorded],
    }


def _words_field(_language: Language, text: str) -> Iterator[str]:
    """Words, never keywords: who wants `in` in a name has quotes, who wants calls in has the field for it."""
    for token in re.finditer(r'"([^"]*)"|(\S+)', text):
        yield quoted((token[1] if token[1] is not None else token[2]).replace('"', "").lower())


def _seconds_field(sign: str) -> FieldTokens:
    def tokens(_language: Language, text: str) -> tuple[str]:
        match = re.fullmatch(r"([0-9]{1,6})\s*([a-zа-я]*)", text.lower())
        if not match or (match[2] and match[2] not in UNITS):
            raise ValueError(_("“{text}” is not a number of seconds.").format(text=text[:40]))
        return (f"{sign}{match[1]}{match[2] or 's'}",)

    return tokens


def _choice_field(meanings: Mapping[str, str]) -> FieldTokens:
    def tokens(_language: Language, text: str) -> tuple[str]:
        if text not in meanings:
            raise ValueError(_("“{text}” is none of the choices.").format(text=text[:40]))
        return (keyword(meanings[text]),)

    return tokens


_FIELDS: Mapping[str, FieldTokens] = {
    "words": _words_field,
    "longer": _seconds_field(">"),
    "shorter": _seconds_field("<"),
    "direction": _choice_field({"in": "in", "out": "out", "missed": "missed"}),
    "recorded": _choice_field({"yes": "recorded", "no": "unrecorded"}),
}
