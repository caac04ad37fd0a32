"""The samples in config/: each is loaded, each key of each is known, and none is missing."""

from __future__ import annotations

import re
from pathlib import Path

from recorderd.cli import asterisk_conf
from recorderd.config import document, read_policy
from recorderd.config.load import parse
from recorderd.config.sections import key_paths
from recorderd.core.conditions import CONDITIONS
from recorderd.core.rules import EXTENSION_KEYS, RULE_KEYS

SAMPLES = Path(__file__).resolve().parents[2] / "config"
LISTS: dict[str, tuple[str, ...]] = {}


def sample(name: str) -> str:
    return (SAMPLES / name).read_text()


def whole(text: str) -> str:
    """The sample with the keys that are not set there: `#key:` is one, `# text` is a remark."""
    return (
        re.sub(r"^(\s*)#([a-z_]+:)", r"\1\2", text, flags=re.M)
        .replace("alarms: {}", "alarms:")
        .replace("evidence: {}", "evidence:")
    )


def paths(value: object, known: set[str], above: str = "") -> set[str]:
    """Every key that the sample writes, down to what is one key for us."""
    if not isinstance(value, dict) or above in known:
        return {above}
    return {p for k, v in value.items() for p in paths(v, known, f"{above}.{k}".lstrip("."))}


def test_the_sample_is_without_fault_as_it_is() -> None:
    config = parse(sample("recorderd.yaml"), Path("recorderd.yaml"), {})
    assert config.asterisk.username == "recorderd"


def test_the_sample_has_every_key_and_no_other() -> None:
    known = set(key_paths())
    written = paths(document.parse(whole(sample("recorderd.yaml")), "f").value, known)
    # precedence is one key of ours and two lines of the sample
    assert {p.replace(".strengths", "").replace(".modes", "") for p in written} == known


def test_the_keys_that_the_sample_does_not_set_are_right_too() -> None:
    text = whole(sample("recorderd.yaml")).replace("    roles: {}\n", "    roles: {staff: user}\n")
    # Given beside the secrets themselves, these would be faults.
    text = re.sub(r"^ *secret_file: /etc/recorderd/(asterisk|oidc)-secret\n", "", text, flags=re.M)
    config = parse(text, Path("f"), {})
    assert (config.panel.oidc.secret, config.panel.user_header) == ("change-me", "X-Remote-User")
    assert (config.control.group, config.alarms.command[0]) == ("asterisk", "/usr/local/bin/page-me")


def test_the_defaults_that_the_sample_shows_are_the_defaults() -> None:
    config = parse(sample("recorderd.yaml"), Path("f"), {})
    bare = parse("asterisk: {username: recorderd, secret: change-me}", Path("f"), {})
    for name in ("asterisk", "agi", "control", "store", "state", "spool", "feature", "cdr", "alarms", "log"):
        assert getattr(config, name) == getattr(bare, name), name
    assert config.channels.extension_pattern == bare.channels.extension_pattern
    assert config.base_policy() == bare.base_policy()


def test_the_policy_sample_is_without_fault_and_shows_every_key() -> None:
    text = sample("policy.yaml")
    found = read_policy(text, "policy.yaml", LISTS)
    assert found.extensions is not None
    assert found.rules is not None
    for key in (*RULE_KEYS, *EXTENSION_KEYS, *CONDITIONS, "enabled"):
        assert re.search(rf"\b{key}\b", text), key


def test_the_csv_sample_says_the_same_of_extensions() -> None:
    yaml, csv = (read_policy(sample(f"policy.{form}"), "f", LISTS, form=form) for form in ("yaml", "csv"))
    assert csv.extensions == yaml.extensions
    assert csv.names == yaml.names


def test_the_asterisk_snippets_say_what_check_asks_for() -> None:
    manager = asterisk_conf.read(SAMPLES / "manager_recorderd.conf")
    assert manager["general"]["timestampevents"] == "yes"
    assert (manager["recorderd"]["read"], manager["recorderd"]["write"]) == (
        "system,call,cdr,user",
        "system,call",
    )
    cdr = asterisk_conf.read(SAMPLES / "cdr_manager_recorderd.conf")
    assert set(cdr["mappings"]) == {"recordingfile", "linkedid", "sequence"}
    features = (SAMPLES / "features_recorderd.conf").read_text()
    assert re.search(r"^recorderd => ", features, re.M)


def test_the_sqlite_snippet_has_a_value_for_each_column_and_all_that_we_need() -> None:
    from recorderd.store.asterisk_cdr import NEEDED

    master = asterisk_conf.read(SAMPLES / "cdr_sqlite3_recorderd.conf")["master"]
    columns = [name.strip() for name in master["columns"].split(",")]
    values = re.findall(r"\$\{CDR\((\w+)\)\}", master["values"])
    assert columns == values
    assert set(NEEDED) <= set(columns)
