"""The filter language: `107 >60s today`.

Owns what one line of it means. Pure: no clock, no database. Words may be English or Russian,
whatever the reader's language; what is none of them is something that a call must mention.

    107                      a number or a name that is mentioned, or a part of one; "two words" in quotes
    >60  >60s  >=2m  <1h     how long people talked; also duration>60
    today  yesterday  2026-11-23  23.11.2026  2026-11          when; also a..b, a.. and ..b
    in  out  missed          which way
    recorded  unrecorded     whether there is something to play
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo

from recorderd.panel.language import _, current
from recorderd.panel.ports import FaultyFilter, Filter

LONGEST_LINE = 300
_MOST_WORDS = 10
_LONGEST_WORD = 64
_LONGEST_TALK = 7 * 86_400
_FIRST_YEAR, _LAST_YEAR = 1971, 2200

# Each word with a meaning, in every language; the first of a language is the one that we write.
KEYWORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "in": {"en": ("in", "incoming", "inbound"), "ru": ("входящие", "вх", "входящий")},
    "out": {"en": ("out", "outgoing", "outbound"), "ru": ("исходящие", "исх", "исходящий")},
    "missed": {"en": ("missed",), "ru": ("пропущенные", "пропущен", "пропущенный")},
    "recorded": {"en": ("recorded",), "ru": ("записанные", "записан", "запись")},
    "unrecorded": {"en": ("unrecorded",), "ru": ("незаписанные", "незаписан")},
    "today": {"en": ("today",), "ru": ("сегодня",)},
    "yesterday": {"en": ("yesterday",), "ru": ("вчера",)},
}
_MEANINGS = {word: meaning for meaning, all in KEYWORDS.items() for words in all.values() for word in words}
UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "с": 1, "сек": 1, "м": 60, "мин": 60, "ч": 3600}

_TALK = re.compile(
    r"(?:(?:duration|talk|длительность|разговор)\s*)?(?P<op>>=|<=|>|<|=)\s*(?P<count>[0-9]{1,9})"
    r"\s?(?P<unit>sec|min|сек|мин|[smhсмч])?(?=\s|$)",
    re.IGNORECASE,
)
_TOKEN = re.compile(rf'(?P<talk>{_TALK.pattern})|"(?P<quoted>[^"]*)"|(?P<word>\S+)', re.IGNORECASE)
_DAY = re.compile(r"(?P<y>\d{4})-(?P<m>\d\d?)-(?P<d>\d\d?)|(?P<D>\d\d?)\.(?P<M>\d\d?)\.(?P<Y>\d{4})")
_MONTH = re.compile(r"(?P<y>\d{4})-(?P<m>\d\d)")
_TELEPHONE = re.compile(r"\+?\d[\d().-]{3,}\d")

Days = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Language:
    """The filter language at one moment in one place: `today` is a day there."""

    now: float
    zone: tzinfo

    def parse(self, line: str) -> Filter:
        """The filter of one line. Raises FaultyFilter: one sentence for each word at fault."""
        draft = _Draft(self)
        if len(line) > LONGEST_LINE:
            raise FaultyFilter({"": _("A filter has at most 300 characters.")})
        for token in _TOKEN.finditer(line):
            draft.take(token)
        return draft.finish()

    # --- days ------------------------------------------------------------------------------------

    def days(self, text: str) -> Days:
        """First and last day of what was typed. ValueError, one sentence, for what is no day."""
        today = datetime.fromtimestamp(self.now, self.zone).date()
        meaning = _MEANINGS.get(text.lower())
        if meaning in ("today", "yesterday"):
            day = today if meaning == "today" else today - timedelta(days=1)
            return day, day
        try:
            if match := _DAY.fullmatch(text):
                y, m, d = (
                    (match["y"], match["m"], match["d"])
                    if match["y"]
                    else (match["Y"], match["M"], match["D"])
                )
                day = _checked(date(int(y), int(m), int(d)))
                return day, day
            if match := _MONTH.fullmatch(text):
                first = _checked(date(int(match["y"]), int(match["m"]), 1))
                return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        except ValueError:
            pass
        raise ValueError(
            _("“{text}” is not a date such as 2026-11-23, 23.11.2026 or today.").format(text=text)
        )

    def midnight(self, day: date) -> float:
        """When a day begins here."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()


@dataclass(slots=True)
class _Draft:
    """A filter in the making: each token adds to it, or is a fault."""

    language: Language
    filter: Filter = field(default_factory=Filter)
    tokens: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)

    def take(self, token: re.Match[str]) -> None:
        if token["talk"]:
            self._talk(token)
        elif token["word"] is None:
            self._word(token["quoted"].strip(), quoted=True)
        elif any(c in token["word"] for c in "<>="):
            text = token["word"]
            self.faults[text] = _("“{text}” is not a length of talk such as >60s or <5m.").format(text=text)
        elif (meaning := _MEANINGS.get(token["word"].lower())) and meaning in _SETS:
            self._set(token["word"], _SETS[meaning])
        elif _looks_like_days(token["word"]):
            self._days(token["word"])
        else:
            self._word(token["word"].replace('"', ""))

    def finish(self) -> Filter:
        f = self.filter
        if f.min_s is not None and f.max_s is not None and f.min_s > f.max_s:
            self.faults["<>"] = _("No talk is longer than the one and shorter than the other.")
        if len(f.words) > _MOST_WORDS:
            self.faults[""] = _("A filter has at most 10 words.")
        if self.faults:
            raise FaultyFilter(self.faults)
        return replace(f, line=" ".join(self.tokens))

    def _talk(self, token: re.Match[str]) -> None:
        count = int(token["count"]) * UNITS[(token["unit"] or "s").lower()]
        text = token["talk"].strip()
        if count > _LONGEST_TALK:
            self.faults[text] = _("“{text}” is longer than a week.").format(text=text)
            return
        least, most = _BOUNDS[token["op"]]
        changed = self.filter
        if least is not None:
            changed = replace(changed, min_s=count + least)
        if most is not None:
            changed = replace(changed, max_s=max(count + most, -1))
        self.filter = changed
        self.tokens.append(f"{token['op']}{token['count']}{(token['unit'] or 's').lower()}")

    def _set(self, text: str, values: Mapping[str, object]) -> None:
        old = {name: getattr(self.filter, name) for name in values}
        empty = {name: getattr(Filter(), name) for name in values}
        if old not in (empty, dict(values)):
            self.faults[text] = _("“{text}” contradicts a word before it.").format(text=text)
            return
        if old == empty:
            self.tokens.append(text)
        self.filter = replace(self.filter, **values)  # type: ignore[arg-type]

    def _days(self, text: str) -> None:
        if self.filter.when:
            self.faults[text] = _("“{text}” is a second date: write a..b for all days between.").format(
                text=text
            )
            return
        first, dots, last = text.partition("..")
        try:
            start = self.language.days(first)[0] if first else None
            end = self.language.days(last if dots else first)[1] if last or not dots else None
        except ValueError as error:
            self.faults[text] = str(error)
            return
        if start and end and start > end:
            self.faults[text] = _("“{text}” ends before it begins.").format(text=text)
            return
        self.filter = replace(
            self.filter,
            when=text,
            since=None if start is None else self.language.midnight(start),
            until=None if end is None else self.language.midnight(end + timedelta(days=1)),
        )
        self.tokens.append(text)

    def _word(self, text: str, *, quoted: bool = False) -> None:
        word = " ".join(text.lower().split())
        if _TELEPHONE.fullmatch(word):
            word = re.sub(r"[().-]", "", word)
        if not word:
            return
        if len(word) > _LONGEST_WORD or not word.isprintable():
            self.faults[text[:40]] = _("“{text}” is not a number or a name.").format(text=text[:40])
            return
        if word not in self.filter.words:
            self.filter = replace(self.filter, words=(*self.filter.words, word))
            self.tokens.append(f'"{word}"' if quoted or _special(word) else word)


# What a comparison adds to a whole number of seconds to make both ends included.
_BOUNDS: Mapping[str, tuple[int | None, int | None]] = {
    ">": (1, None),
    ">=": (0, None),
    "<": (None, -1),
    "<=": (None, 0),
    "=": (0, 0),
}
_SETS: Mapping[str, Mapping[str, object]] = {
    "in": {"direction": "in", "missed": False},
    "out": {"direction": "out", "missed": False},
    "missed": {"direction": "", "missed": True},
    "recorded": {"recorded": True},
    "unrecorded": {"recorded": False},
}


def _looks_like_days(text: str) -> bool:
    """Two points are a range of days, whatever stands beside them; otherwise it has a day's form."""
    if _MEANINGS.get(text.lower()) in ("today", "yesterday"):
        return True
    return ".." in text or bool(_DAY.fullmatch(text) or _MONTH.fullmatch(text))


def _checked(day: date) -> date:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError
    return day


def _special(word: str) -> bool:
    """Whether it would mean something else without quotes."""
    return bool(" " in word or word in _MEANINGS or any(c in word for c in "<>=") or _looks_like_days(word))


def quoted(word: str) -> str:
    """A word as it is typed where it shall mean nothing else."""
    return f'"{word}"' if _special(word) else word


def keyword(meaning: str) -> str:
    """How the reader's language writes a word with a meaning."""
    words = KEYWORDS[meaning]
    return words.get(current(), words["en"])[0]


def in_the_readers_words(text: str) -> str:
    """A word with a meaning as the reader's language writes it; anything else as it is."""
    meaning = _MEANINGS.get(text.lower())
    return keyword(meaning) if meaning else text
