"""The core's reasons in the reader's language.

Owns the sentences that the core writes into the ledger, as patterns. The core speaks English and knows no
languages; a ledger must read the same for ever. So what it says is recognised here when it is shown. A
sentence that is not recognised is shown as it was written. Must not know a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from recorderd.panel.language import _
from recorderd.panel.pages.words import MODES, N_

# Calls of one kind, as `core.policy` names them.
_KINDS: Mapping[str, str] = {
    "inbound calls": N_("inbound calls"),
    "outbound calls": N_("outbound calls"),
    "internal inbound calls": N_("internal inbound calls"),
    "internal outbound calls": N_("internal outbound calls"),
}
_STRENGTHS: Mapping[str, str] = {
    "rule": N_("rule"),
    "lock": N_("lock"),
    "choice": N_("choice"),
    "default": N_("default"),
}
# What `core` says, the special before the general. Names in brackets are filled from the sentence.
_SENTENCES: tuple[str, ...] = (
    # core/policy.py: the trace is a sentence and its verdict
    N_("rule “%(rule)s”: does not apply, %(miss)s"),
    N_("%(first)s: wins"),
    N_("%(first)s: agrees"),
    N_("%(first)s: applies"),
    N_("%(first)s: outweighed, a %(strength)s is stronger than a %(weaker)s"),
    N_("%(first)s: outweighed, %(mode)s is stronger than %(other)s"),
    N_("rule “%(rule)s” says %(mode)s, %(why)s"),
    N_("rule “%(rule)s” says %(mode)s"),
    N_("the default for %(kind)s of %(who)s is %(mode)s"),
    N_("%(kind)s of %(who)s are locked to %(mode)s, %(why)s"),
    N_("%(kind)s of %(who)s are locked to %(mode)s"),
    N_("%(who)s chose %(mode)s for %(kind)s"),
    N_("no extension takes part"),
    # core/conditions.py: why a rule does not apply
    N_("caller is not %(what)s"),
    N_("callee is not %(what)s"),
    N_("did is not %(what)s"),
    N_("queue is not %(what)s"),
    N_("group is not %(what)s"),
    N_("party is not %(what)s"),
    N_("trunk is not %(what)s"),
    N_("context is not %(what)s"),
    N_("direction is not %(what)s"),
    N_("time is not %(what)s"),
    # core/presses.py: what a press is answered
    N_("nobody talks there now"),
    N_("pressed twice within a second"),
    N_("it is being recorded"),
    N_("it is not being recorded"),
    N_("it is paused"),
    N_("it is not paused"),
    N_("asked for"),
    # core/links.py, core/recordings.py, core/judging.py: notes of the ledger, one or more
    N_("%(first)s; %(second)s"),
    N_("recorderd was not connected to Asterisk then"),
    N_("cut back: what came next was never to be recorded"),
    N_("buffered: nobody has asked for it yet"),
    N_("kept: somebody asked for it later"),
    N_("buffered and destroyed: nobody asked for it"),
    N_("the prompt before the call could not be played"),
    N_("no sound of %(who)s and %(other_voice)s"),
    N_("no sound of %(who)s"),
    N_("not mixed, its lanes are kept: %(why)s"),
)
_HOLE = re.compile(r"%\((\w+)\)s")
# A hole holds one of these words, or a sentence of its own (`first`, `miss`), or anything.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "mode": {k: v for k, v in MODES.items() if k},
    "other": {k: v for k, v in MODES.items() if k},
    "kind": _KINDS,
    "strength": _STRENGTHS,
    "weaker": _STRENGTHS,
}
_INNER = ("first", "miss", "second")


def reader(sentence: str) -> str:
    """One sentence of the core in the reader's language."""
    for template in _SENTENCES:
        if match := _pattern(template).fullmatch(sentence):
            return _(template) % {name: _filled(name, text) for name, text in match.groupdict().items()}
    return sentence


def known(sentence: str) -> bool:
    """Whether a sentence is recognised: for the test that all of the core's are."""
    return any(_pattern(template).fullmatch(sentence) for template in _SENTENCES)


def _filled(name: str, text: str) -> str:
    if name in _INNER:
        return reader(text)
    return _(_WORDS[name][text]) if name in _WORDS else text


@cache
def _pattern(template: str) -> re.Pattern[str]:
    hole: Callable[[str], str] = lambda name: (  # noqa: E731
        "|".join(map(re.escape, _WORDS[name])) if name in _WORDS else ".+"
    )
    parts = _HOLE.split(template)
    # Even places are text, odd ones are the names of holes.
    made = (re.escape(p) if i % 2 == 0 else f"(?P<{p}>{hole(p)})" for i, p in enumerate(parts))
    return re.compile("".join(made), re.DOTALL)
