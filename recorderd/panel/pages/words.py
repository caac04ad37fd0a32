"""Times, numbers and the program's own words, as a person reads them in his language.

Owns how a value is written. Must not know HTML or a page. Everything that differs between languages is a
sentence of the catalogue, the shape of a date and the thousands' separator too: a third language is a
translation only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from recorderd.panel.language import _, ngettext


def N_(sentence: str) -> str:
    """Mark a sentence for the catalogue; whoever shows it translates it."""
    return sentence


MODES: Mapping[str, str] = {
    "always": N_("always"),
    "on-demand": N_("on demand"),
    "never": N_("never"),
    "": N_("no decision"),
}
# As the settings offer them: what is recorded, rather than how the rule is called.
CHOICES: Mapping[str, str] = {
    "always": N_("always"),
    "on-demand": N_("selectively (on demand)"),
    "never": N_("not at all"),
}
OUTCOMES: Mapping[str, str] = {
    "recorded": N_("recorded"),
    "partial": N_("partly recorded"),
    "not-by-policy": N_("not recorded, by policy"),
    "FAULT-not-recorded": N_("fault: not recorded"),
    "FAULT-recorded-in-error": N_("fault: recorded in error"),
    "no-conversation": N_("no conversation"),
    "": N_("not judged yet"),
}
RESULTS: Mapping[str, str] = {
    "answered": N_("answered"),
    "missed": N_("missed"),
    "elsewhere": N_("answered elsewhere"),
    "unanswered": N_("not answered"),
}
WAYS: Mapping[str, str] = {
    "in": N_("incoming"),
    "out": N_("outgoing"),
    "internal": N_("internal"),
}
ROLES: Mapping[str, str] = {
    "user": N_("user"),
    "supervisor": N_("supervisor"),
    "auditor": N_("auditor"),
    "administrator": N_("administrator"),
}
RIGHTS: Mapping[str, str] = {
    "list": N_("see calls"),
    "play": N_("play"),
    "download": N_("download"),
    "delete": N_("delete"),
    "policy": N_("change policy"),
    "press": N_("record, stop and pause"),
    "audit": N_("read the audit log"),
    "administer": N_("administer"),
}
ACCOUNT_STATES: Mapping[str, str] = {
    "active": N_("active"),
    "disabled": N_("disabled"),
    "new": N_("has a one-time code"),
    "must-change": N_("must choose a password"),
}
FAIL_MODES: Mapping[str, str] = {
    "": N_("as the default"),
    "open": N_("goes on"),
    "announce": N_("announcement first"),
    "closed-before": N_("is not connected"),
    "closed-during": N_("is ended"),
}
LOOKBACKS: Mapping[str, str] = {
    "off": N_("from the press on"),
    "whole-call": N_("the whole call"),
}
MARKS: Mapping[str, str] = {
    "transfer": N_("transfer"),
    "join": N_("joins"),
    "leave": N_("leaves"),
    "started": N_("recording switched on"),
    "stopped": N_("recording switched off"),
    "paused": N_("pause"),
    "resumed": N_("end of pause"),
    "denied": N_("press refused"),
    "unchanged": N_("press without effect"),
    "ended": N_("call ended: it could not be recorded"),
    "destroyed": N_("buffered and destroyed"),
}
# `panel.storage.SOLD`, which is more than a name.
FIVE_MINUTES = N_("5 minutes per MB")
PRESSED: Mapping[str, str] = {
    "started": N_("Recording."),
    "stopped": N_("Recording stopped."),
    "paused": N_("Recording paused: what is said now is not kept."),
    "resumed": N_("Recording goes on."),
    "unchanged": N_("Nothing changed."),
    "denied": N_("Refused."),
}


def word(table: Mapping[str, str], value: object) -> str:
    """The word for a value; one that nobody translated yet is shown as it is."""
    return _(table[str(value)]) if str(value) in table else str(value)


def besides(lookback: object = None, announce: object = None, beep: object = None) -> list[str]:
    """What else a policy or a rule says of its calls, in words; None where it says nothing."""
    said = []
    if lookback:
        said.append(_("on demand: {what}").format(what=word(LOOKBACKS, lookback)))
    if announce:
        said.append(_("announcement “{prompt}”").format(prompt=announce))
    if announce == "":
        said.append(_("no announcement"))
    if str(beep).isdecimal():
        count = int(str(beep))
        told = ngettext("a beep every %s second", "a beep every %s seconds", count) % number(count)
        said.append(told if count else _("no beep"))
    return said


# --- numbers -----------------------------------------------------------------------------------


def number(value: float, places: int = 0) -> str:
    """A number with the language's separators."""
    # Translators: how your language writes one thousand two hundred and thirty-four and a half.
    sample = _("1,234.5")
    plain = f"{value:,.{places}f}"
    return plain.translate({ord(","): sample[1], ord("."): sample[-2]})


def size(count: float) -> str:
    """A number of bytes, in the unit that reads best; 1 kB is 1,000 bytes, as disks are sold."""
    units = (_("%s bytes"), _("%s kB"), _("%s MB"), _("%s GB"), _("%s TB"))
    step = 0
    while count >= 1000 and step < len(units) - 1:
        count, step = count / 1000, step + 1
    return units[step] % number(count, 1 if step > 0 and count < 100 else 0)


def clock(seconds: float) -> str:
    """A length as a player shows it: 0:07, 12:34, 1:02:03."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def seconds(count: int) -> str:
    """“3 seconds”, for those who listen to the page instead of looking at it."""
    return ngettext("%s second", "%s seconds", count) % number(count)


def hours(count: float) -> str:
    """“about 19,900 hours”: three digits, the rest would be a pretence."""
    whole = round(count)
    rounded = whole if whole < 1000 else round(whole, -2)
    return ngettext("about %s hour", "about %s hours", rounded) % number(rounded)


# --- dates -------------------------------------------------------------------------------------


def date(at: float, zone: tzinfo) -> str:
    """The day: “23 Nov 2026”."""
    when = datetime.fromtimestamp(at, zone)
    # Translators: the short names of the months, in order, with blanks between.
    months = _("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split()
    # Translators: a date; {number} is the month as two digits.
    return _("{day} {month} {year}").format(
        day=f"{when.day:02}", month=months[when.month - 1], number=f"{when.month:02}", year=when.year
    )


def time(at: float, zone: tzinfo) -> str:
    """The time of day, with seconds."""
    return datetime.fromtimestamp(at, zone).strftime("%H:%M:%S")


def moment(at: float | None, zone: tzinfo) -> str:
    """Day and time, or a dash."""
    return "–" if at is None else f"{date(at, zone)}, {time(at, zone)}"


def iso(at: float, zone: tzinfo) -> str:
    """For the attribute of a <time>."""
    return datetime.fromtimestamp(at, zone).isoformat(timespec="seconds")
