"""FreePBX's recording policies as ours: its documented rules as a small model, and where we differ."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.config import FaultyConfig
from recorderd.config.freepbx import FIELDS, Entry, losses, map_freepbx, policy_of, read_freepbx
from recorderd.core.policy import Mode, Policy, decide
from tests.core.parties import call

EXPORT = """\
/AMPUSER/101/cidname                              : Иван: Sales
/AMPUSER/101/recording                            :
/AMPUSER/101/recording/in/external                : force
/AMPUSER/101/recording/in/internal                : dontcare
/AMPUSER/101/recording/ondemand                   : override
/AMPUSER/101/recording/out/external               : always
/AMPUSER/101/recording/out/internal               : yes
/AMPUSER/101/recording/priority                   : 10
/AMPUSER/102/recording/in/external                : delayed
/AMPUSER/102/recording/ondemand                   : enabled
/AMPUSER/102/recording/out/internal               : no
/AMPUSER/103/recording/in/external                : dontcare
/AMPUSER/104/voicemail                            : novm
14 results found.
"""


def test_an_export_is_mapped_and_what_is_lost_is_told() -> None:
    file, lost = read_freepbx(EXPORT, "f")
    first, second = file.extensions or ()
    assert (first.extension, first.locked, first.lock_reason) == ("101", True, "FreePBX: Force or Never")
    assert (first.inbound, first.outbound) == (Mode.ALWAYS, Mode.ALWAYS)
    assert (first.internal_inbound, first.internal_outbound) == (Mode.ON_DEMAND, Mode.ALWAYS)
    assert (second.locked, second.inbound, second.internal_outbound) == (False, Mode.ALWAYS, Mode.ON_DEMAND)
    assert file.names == {"101": "Иван: Sales"}
    assert file.rules is None, "rules stay as they are"
    assert set(lost) == {"101", "102", "103"}
    told = " | ".join(lost["101"])
    for what in ("priority 10", "out/internal yes", "in/internal dontcare", "in/external force"):
        assert what in told
    assert lost["103"] == ("cares about no call and may not press: not imported, it follows the default",)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/AMPUSER/101/recording/in/external : maybe", "'maybe' is not one of force, yes"),
        ("/AMPUSER/101/recording/priority : 21", "'21' is not 0 to 20"),
        ("/AMPUSER/101/recording/priority : -1", "'-1' is not 0 to 20"),
        ("/AMPUSER/101/recording/ondemand : on", "'on' is not one of disabled"),
        ("/AMPUSER/101/recording/sideways : yes", "FreePBX has no 'sideways'"),
        ("/AMPUSER/1 01;rm/recording/in/external : yes", "is not an extension"),
        ("/AMPUSER/../recording/in/external/x : yes", "has no 'in/external/x'"),
        ("/AMPUSER//recording/in/external : yes", "'' is not an extension"),
        ("/AMPUSER/101/cidname : a\x1b[2J", "f:2:1: "),
        ("/DEVICE/101/user : 101", "is no line of `database show AMPUSER`"),
        ("Unable to connect to remote asterisk", "is no line of `database show AMPUSER`"),
        ("/AMPUSER/100/recording/in/external : no", "is written twice"),
    ],
)
def test_an_entry_that_cannot_be_one_refuses_the_whole(line: str, why: str) -> None:
    with pytest.raises(FaultyConfig) as caught:
        read_freepbx(f"/AMPUSER/100/recording/in/external : yes\n{line}\n", "f")
    assert why in str(caught.value)


@pytest.mark.parametrize("text", ["", "0 results found.\n", "/AMPUSER/101/cidname : x\n"])
def test_an_export_without_a_recording_policy_is_refused(text: str) -> None:
    with pytest.raises(FaultyConfig, match="holds no /AMPUSER/EXTENSION/recording"):
        read_freepbx(text, "f")


@given(st.lists(st.tuples(st.just(1), st.text(max_size=60), st.text(max_size=60))))
def test_no_entry_at_all_is_more_than_a_fault(entries: list[tuple[int, str, str]]) -> None:
    with pytest.raises(FaultyConfig):
        map_freepbx(entries, "f")


# --- FreePBX's documented rules, and ours --------------------------------------------------------

words = st.sampled_from(["force", "yes", "dontcare", "no", "never"])
entries = st.builds(
    Entry,
    fields=st.fixed_dictionaries(dict.fromkeys(FIELDS, words)),
    priority=st.integers(0, 20),
    on_demand=st.sampled_from(["disabled", "enabled", "override"]),
    recording=st.just(True),
)


@dataclass(frozen=True)
class FreePBX:
    """Calls between extensions: who cares decides; both do: the higher priority, a tie goes to REC_POLICY."""

    rec_policy: str

    def internal(self, caller: Entry, callee: Entry) -> bool:
        out, into = caller.fields["out/internal"], callee.fields["in/internal"]
        first = {"caller": out, "callee": into}[self.rec_policy]
        if caller.priority != callee.priority:
            first = out if caller.priority > callee.priority else into
        cares = [word for word in (out, into) if word != "dontcare"]
        return (first if len(cares) == 2 else cares[0] if cares else "no") in ("force", "yes")


def ours(entries: dict[str, Entry], caller: str, callee: str) -> bool:
    extensions = {e: policy_of(e, entry) for e, entry in entries.items() if not entry.silent}
    return decide(Policy(extensions=extensions), call(caller, callee)).wanted


@given(entries, entries, st.sampled_from(["caller", "callee"]))
def test_between_extensions_we_differ_only_where_the_manual_says(
    caller: Entry, callee: Entry, rec_policy: str
) -> None:
    mine = ours({"101": caller, "102": callee}, "101", "102")
    out, into = caller.fields["out/internal"], callee.fields["in/internal"]
    both_care = "dontcare" not in (out, into)
    records = {word: word in ("force", "yes") for word in ("force", "yes", "no", "never")}
    if both_care and records[out] != records[into]:
        # Priorities and REC_POLICY: here a lock outweighs a choice, then never, always, on-demand.
        sides = [(caller, out), (callee, into)]
        if caller.locked != callee.locked:
            assert mine == next(records[word] for entry, word in sides if entry.locked)
        else:
            against = next(entry for entry, word in sides if not records[word])
            word = next(word for _, word in sides if not records[word])
            assert mine == (word == "no" and against.on_demand != "disabled")
    elif (caller.locked and not callee.locked and out == "dontcare") or (
        callee.locked and not caller.locked and into == "dontcare"
    ):
        assert not mine, "dontcare under a lock is on-demand, and outweighs what the other chose"
    else:
        assert mine == FreePBX(rec_policy).internal(caller, callee)


@given(entries, st.sampled_from(["in/external", "out/external"]))
def test_with_the_world_outside_we_record_what_freepbx_records(entry: Entry, theirs: str) -> None:
    parties = ("0612345678", "101") if theirs == "in/external" else ("101", "0612345678")
    assert ours({"101": entry}, *parties) == (entry.fields[theirs] in ("force", "yes"))


@given(entries)
def test_whatever_is_not_as_in_freepbx_is_told(entry: Entry) -> None:
    told = " | ".join(losses(entry))
    assert ("priority" in told) == bool(entry.priority)
    assert ("not imported" in told) == entry.silent
    for theirs, word in entry.fields.items():
        if entry.locked and word in ("yes", "no", "dontcare"):
            assert f"{theirs} {word}" in told
        if word == "force" and entry.on_demand == "override":
            assert f"{theirs} force" in told
