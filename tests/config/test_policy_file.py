"""Extensions and rules as YAML and CSV: both directions, and every fault at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.config import FaultyConfig, read_policy
from recorderd.config.policy_file import FileRule, PolicyFile, write_policy
from recorderd.core.policy import ExtensionPolicy, FailMode, Mode

LISTS = {"vip": ("101",)}
HEAD = "extension,name,inbound,outbound,internal_inbound,internal_outbound,locked,lock_reason,fail_mode\n"


def faults(text: str, form: str = "yaml") -> list[str]:
    with pytest.raises(FaultyConfig) as error:
        read_policy(text, "f", LISTS, form=form)
    return str(error.value).split("\n")


# --- YAML --------------------------------------------------------------------------------------


def test_a_leading_nought_is_part_of_an_extension() -> None:
    found = read_policy("extensions: {0101: always}", "f", {})
    assert [e.extension for e in found.extensions or ()] == ["0101"]


def test_parts_that_the_file_does_not_speak_of_are_none() -> None:
    assert read_policy("", "f", {}) == PolicyFile()
    assert read_policy("rules: []", "f", {}) == PolicyFile(rules=())
    assert read_policy("extensions: {}", "f", {}) == PolicyFile(extensions=())


def test_a_rule_keeps_its_mapping_as_written() -> None:
    text = "rules: [{name: r, enabled: no, when: {caller: '@vip', time: 09:00-17:00}, mode: never}]"
    found = read_policy(text, "f", LISTS)
    body = {"when": {"caller": "@vip", "time": "09:00-17:00"}, "mode": "never"}
    assert found.rules == (FileRule(name="r", body=body, enabled=False),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("extention: {}", "f:1:1: extention: unknown key 'extention' (did you mean 'extensions'?)"),
        ("- a", "f:1:1: is a mapping with the keys extensions and rules"),
        ("extensions: [101]", "f:1:1: extensions: is a mapping from extensions to their policies"),
        ("rules: {}", "f:1:1: rules: rules must be a list"),
        ("extensions: {'1 2': always}", "f:1:14: extensions.1 2: '1 2' is not an extension"),
        ("extensions: {1: {inbound: always}}", "f:1:14: extensions.1.outbound: outbound is missing"),
        ("extensions: {1: {inbound: x, outbound: never}}", "f:1:18: extensions.1.inbound: 'x' is not one of"),
        ("extensions: {1: [always]}", "f:1:14: extensions.1: give a mode, or a mapping with inbound"),
        ("extensions: {1: {name: '', inbound: never, outbound: never}}", "extensions.1.name: is empty"),
        ("rules: [{mode: never}]", "f:1:9: rules.0: a rule needs a name"),
        ("rules: [{name: r}]", "f:1:9: rules.0: rule 'r' needs a mode: always, on-demand or never"),
        ("rules: [{name: r, mode: nevr}]", "f:1:19: rules.0.mode: 'nevr' is not one of always, on-demand"),
        ("rules: [{name: r, mode: never, enabled: 7}]", "f:1:32: rules.0.enabled: '7' is not true or false"),
        ("rules: [{name: r, mode: never, when: {caler: 1}}]", "unknown key 'caler' (did you mean 'caller'?)"),
        ("rules: [{name: r, mode: never, when: {caller: '@v'}}]", "there is no list 'v'; known lists: vip"),
        ("rules: [{name: r, mode: never, when: {time: 25:00}}]", "f:1:39: rules.0.when.time: '25:00' is not"),
        ("rules: [{name: r, mode: never}, {name: r, mode: never}]", "rules: two rules are called 'r'"),
        ("rules: [x]", "f:1:9: rules.0: a rule is a mapping with name, when and mode"),
    ],
)
def test_each_fault_of_the_yaml_has_its_place(text: str, fault: str) -> None:
    found = faults(text)
    assert len(found) == 1, found
    assert fault in found[0]


def test_all_faults_come_at_once() -> None:
    text = "extensions:\n  1: x\n  2: {inbound: y, outbound: z}\nrules:\n  - name: r\n    mode: w\n"
    assert len(faults(text)) >= 4


# --- CSV ---------------------------------------------------------------------------------------


def test_csv_takes_commas_and_semicolons_and_any_order_of_columns() -> None:
    comma = read_policy("outbound,extension,inbound\nnever,101,always\n", "f", {}, form="csv")
    semicolon = read_policy("outbound;extension;inbound\r\nnever;101;always\r\n\r\n", "f", {}, form="csv")
    assert comma == semicolon
    assert comma.rules is None
    assert comma.extensions == (ExtensionPolicy(extension="101", inbound=Mode.ALWAYS, outbound=Mode.NEVER),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "f:1:1: extension: this column is missing"),
        ("extension,inbound\n", "f:1:1: outbound: this column is missing"),
        ("extension,inbound,outbound,nme\n", "f:1:4: nme: unknown column 'nme' (did you mean 'name'?)"),
        ("extension,inbound,outbound,inbound\n", "f:1:1: a column is written twice"),
        (HEAD + "101,,always\n", "f:2:1: has 3 columns where the first line has 9"),
        (
            HEAD + "101,,alwys,never,,,,,\n",
            "f:2:3: inbound: 'alwys' is not one of always, on-demand, never (did",
        ),
        (HEAD + "101,,,never,,,,,\n", "f:2:3: inbound: inbound is missing: always, on-demand or never"),
        (HEAD + ",,never,never,,,,,\n", "f:2:1: '' is not an extension"),
        (HEAD + "1,,never,never,,,,,\n1,,never,never,,,,,\n", "f:3:1: extension: '1' is written twice"),
        (HEAD + "1,,never,never,,,maybe,,\n", "f:2:7: locked: 'maybe' is not true or false"),
        (HEAD + '1,"a\x1b[2J",never,never,,,,,\n', "f:2:2: name: is not one line"),
        (HEAD + '1,"x"y,never,never,,,,,\n', "f:2:1: is not CSV"),
    ],
)
def test_each_fault_of_the_csv_has_its_line_and_cell(text: str, fault: str) -> None:
    assert fault in "\n".join(faults(text, "csv"))


# --- both directions -----------------------------------------------------------------------------

_modes = st.sampled_from(list(Mode))
_words = st.text(
    st.characters(blacklist_categories=("C", "Z"), max_codepoint=0x2FFF), min_size=1, max_size=20
)
_extensions = st.builds(
    ExtensionPolicy,
    extension=st.from_regex(r"[0-9A-Za-z*#]{1,8}", fullmatch=True),
    inbound=_modes,
    outbound=_modes,
    internal_inbound=st.none() | _modes,
    internal_outbound=st.none() | _modes,
    locked=st.booleans(),
    lock_reason=_words | st.just(""),
    fail_mode=st.none() | st.sampled_from(list(FailMode)),
)


@pytest.mark.parametrize("form", ["yaml", "csv"])
@given(st.lists(_extensions, max_size=5, unique_by=lambda e: e.extension), st.data())
def test_what_is_written_is_read_back(
    form: str, extensions: list[ExtensionPolicy], data: st.DataObject
) -> None:
    names = {e.extension: data.draw(_words) for e in extensions[:2]}
    file = PolicyFile(extensions=tuple(extensions), names=names)
    assert read_policy(write_policy(file, form=form), "f", {}, form=form) == file


def test_rules_are_read_back_as_they_were() -> None:
    rules = (
        FileRule(
            name="on", body={"when": {"did": ["0101", "_0800."], "time": "12:00-13:30"}, "mode": "always"}
        ),
        FileRule(name="no", body={"mode": "never", "reason": "yes: 12"}, enabled=False),
    )
    file = PolicyFile(rules=rules)
    assert read_policy(write_policy(file), "f", {}) == file
