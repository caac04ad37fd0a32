"""Times, numbers and the core's sentences, in both languages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from recorderd.core import recordings
from recorderd.core.conditions import CONDITIONS
from recorderd.core.judging import UNPROMPTED
from recorderd.core.policy import ExtensionPolicy, Mode, Policy, Rule, Situation, decide
from recorderd.core.rows import Direction, Party
from recorderd.panel import language
from recorderd.panel.pages import sentences, words

AT = datetime(2026, 11, 23, 9, 5, 7, tzinfo=UTC).timestamp()
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    yield
    language.use("en")


@pytest.mark.parametrize(
    ("spoken", "date", "number", "size"),
    [
        ("en", "23 Nov 2026", "12,345.6", "1.5 GB"),
        ("ru", "23.11.2026", "12\u00a0345,6", "1,5 ГБ"),
    ],
)
def test_dates_and_numbers_are_written_as_the_language_does(
    spoken: str, date: str, number: str, size: str
) -> None:
    language.use(spoken)
    assert words.date(AT, MOSCOW) == date
    assert words.time(AT, MOSCOW) == "12:05:07"
    assert words.number(12345.6, 1) == number
    assert words.size(1_500_000_000) == size


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1 секунда"), (3, "3 секунды"), (5, "5 секунд"), (11, "11 секунд"), (21, "21 секунда")],
)
def test_russian_has_three_plural_forms(count: int, said: str) -> None:
    language.use("ru")
    assert words.seconds(count) == said


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (7.9, "0:07"), (754, "12:34"), (3723, "1:02:03")]
)
def test_a_length_reads_as_on_a_player(seconds: float, shown: str) -> None:
    assert words.clock(seconds) == shown


def _decisions() -> Iterator[str]:
    """Every sentence that the core says of a decision, over every kind of vote."""
    rules = (
        Rule(name="mond: “licht”", mode=Mode.ALWAYS, reason="weil, darum"),
        Rule(name="stumm", mode=Mode.NEVER),
    )
    for ways in itertools.product(Mode, Mode):
        for locked, reason in ((False, ""), (True, "orders, are contracts"), (True, "")):
            own = ExtensionPolicy(
                extension="101", inbound=ways[0], outbound=ways[0], locked=locked, lock_reason=reason
            )
            other = ExtensionPolicy(extension="102", inbound=ways[1], outbound=ways[1])
            for known, kept in itertools.product(
                ({"101": own}, {"101": own, "102": other}), ((), *zip(rules))
            ):
                policy = Policy(extensions=known, rules=tuple(kept))
                for parties in (("101", "102"), ("101", ""), ("", "102"), ("",)):
                    found = decide(policy, Situation(at=AT, parties=tuple(_parties(parties))))
                    yield found.reason
                    yield from found.trace


def _parties(extensions: tuple[str, ...]) -> Iterator[Party]:
    for i, extension in enumerate(extensions):
        way = Direction.INBOUND if i else Direction.OUTBOUND
        yield Party(uniqueid=str(i), channel="", extension=extension, number="0612", name="", direction=way)


def test_every_sentence_of_a_decision_is_known_and_is_translated() -> None:
    said = set(_decisions())
    assert len(said) > 50
    assert not [s for s in said if not sentences.known(s)]
    language.use("ru")
    assert not [s for s in said if sentences.reader(s) == s]


def test_what_a_person_wrote_is_kept_as_he_wrote_it() -> None:
    language.use("ru")
    sentence = "rule “order line” says always, orders are contracts: applies"
    assert sentences.reader(sentence) == "правило «order line»: всегда, orders are contracts — действует"


def test_every_condition_says_in_words_that_are_known_why_it_does_not_hold() -> None:
    unknown = [name for name in CONDITIONS if not sentences.known(f"{name} is not 5550101")]
    assert not unknown


NOTES = {
    recordings.BUFFERED: "придерживается: об этом ещё никто не попросил",
    recordings.KEPT: "сохранено: об этом попросили позже",
    recordings.DESTROYED: "придержано и уничтожено: об этом никто не попросил",
    recordings.CUT_BACK: "обрезано: дальше запись была запрещена",
    f"{recordings.KEPT}; no sound of 101 and 102; {UNPROMPTED}": "сохранено: об этом попросили позже; "
    "не слышно 101 и 102; объявление перед звонком не прозвучало",
}


@pytest.mark.parametrize("note", NOTES)
def test_the_notes_of_the_ledger_are_told_in_the_readers_language(note: str) -> None:
    assert sentences.known(note)
    assert sentences.reader(note) == note
    language.use("ru")
    assert sentences.reader(note) == NOTES[note]


def test_what_else_a_policy_says_is_told_in_words() -> None:
    assert words.besides() == []
    said = words.besides("whole-call", "this-call-is-recorded", 15)
    assert said == [
        "on demand: the whole call",
        "announcement “this-call-is-recorded”",
        "a beep every 15 seconds",
    ]
    assert words.besides("off", "", "0") == ["on demand: from the press on", "no announcement", "no beep"]
    language.use("ru")
    assert words.besides(beep=21) == ["сигнал каждую 21 секунду"]
    assert words.besides(beep=15) == ["сигнал каждые 15 секунд"]


def test_a_sentence_that_nobody_knows_is_shown_as_it_is() -> None:
    language.use("ru")
    assert sentences.reader("the moon is full") == "the moon is full"
