"""policy and explain: what is set is what is decided, and a bad file changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from recorderd.store import open_store
from recorderd.store.abc import RuleRow, Store
from recorderd.store.snapshot import save_snapshot
from tests.cli.conftest import Program, serving
from tests.control.conftest import SmallDaemon

FILE = """\
extensions:
  '101': always
  '0102': {name: Ivan, inbound: on-demand, outbound: never, locked: true, lock_reason: because}
rules:
  - {name: doctor, when: {party: '150'}, mode: never, reason: secrecy}
"""


@pytest.fixture
def filled(migrated: Program) -> Program:
    migrated.folder.joinpath("p.yaml").write_text(FILE)
    assert migrated("policy", "import", f"{migrated.folder}/p.yaml").code == 0
    return migrated


def test_without_a_database_it_says_how_to_make_one(program: Program) -> None:
    said = program("policy", "list")
    assert said.code == 69
    assert (
        f"there is no database at {program.folder}/recorderd.db: `recorderd db migrate` makes it" in said.err
    )
    assert not program.folder.joinpath("recorderd.db").exists()


def test_a_database_that_is_not_migrated_says_so(program: Program) -> None:
    program.folder.joinpath("recorderd.db").touch()
    said = program("policy", "list")
    assert (said.code, "`recorderd db migrate` brings it up to date" in said.err) == (69, True)


def test_what_is_imported_is_listed(filled: Program) -> None:
    data = filled("policy", "list", "--json").json
    assert data["version"] == 1
    assert data["extensions"] == [
        {"extension": "101", "inbound": "always", "outbound": "always"},
        {
            "extension": "0102",
            "name": "Ivan",
            "inbound": "on-demand",
            "outbound": "never",
            "locked": True,
            "lock_reason": "because",
        },
    ]
    lines = filled("policy", "list").out.splitlines()
    assert lines[0].split()[:4] == ["extension", "name", "inbound", "outbound"]
    assert lines[1].split()[:4] == ["101", "-", "always", "always"]
    assert lines[3].split()[:4] == ["(default)", "-", "never", "never"]


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_what_is_exported_is_imported_without_a_change(filled: Program, form: str) -> None:
    file = f"{filled.folder}/out.{form}"
    assert filled("policy", "export", file).code == 0
    said = filled("policy", "import", file, "--json")
    assert said.json == {
        "version": 1,
        "dry_run": False,
        "added": 0,
        "changed": 0,
        "removed": 0,
        "rules": 1,
        "rules_changed": False,
    }


def test_export_writes_to_standard_output_what_import_reads_from_standard_input(
    filled: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(filled("policy", "export").out))
    assert filled("policy", "import", "-", "--json").json["changed"] == 0


def test_a_file_with_one_fault_changes_nothing_and_tells_every_fault(filled: Program) -> None:
    bad = filled.folder / "bad.yaml"
    bad.write_text("extensions:\n  '103': always\n  '104': sometimes\nrules:\n  - {name: r, mode: x}\n")
    said = filled("policy", "import", str(bad))
    assert said.code == 65
    assert [line.split(": ")[0] for line in said.err.splitlines()] == [f"{bad}:3:3", f"{bad}:5:15"]
    assert filled("policy", "list", "--json").json["version"] == 1


def test_faults_of_an_import_are_data_with_json(filled: Program) -> None:
    filled.folder.joinpath("bad.csv").write_text("extension,inbound,outbound\n1,x,never\n")
    said = filled("--json", "policy", "import", f"{filled.folder}/bad.csv")
    assert said.code == 65
    assert [(f["line"], f["column"], f["key"]) for f in said.json["faults"]] == [(2, 2, "inbound")]


def test_a_file_that_is_not_there_is_66(filled: Program) -> None:
    said = filled("policy", "import", "/nowhere/p.yaml")
    assert (said.code, said.err) == (
        66,
        "recorderd: /nowhere/p.yaml: cannot be read: No such file or directory\n",
    )


def test_import_replaces_and_merge_keeps(filled: Program) -> None:
    one = filled.folder / "one.yaml"
    one.write_text("extensions: {'103': never}")
    dry = filled("policy", "import", str(one), "--dry-run", "--json").json
    assert (dry["added"], dry["removed"], dry["version"]) == (1, 2, 1)
    assert filled("policy", "import", str(one), "--merge").code == 0
    assert len(filled("policy", "list", "--json").json["extensions"]) == 3
    assert filled("policy", "import", str(one)).code == 0
    shown = filled("policy", "show", "--json").json
    assert (shown["extensions"], [r["name"] for r in shown["rules"]]) == (1, ["doctor"])


def test_set_changes_only_what_is_said(filled: Program) -> None:
    assert filled("policy", "set", "0102", "--outbound", "always", "--unlock", "--name", "").code == 0
    assert filled("policy", "show", "0102", "--json").json == {
        "extension": "0102",
        "own": True,
        "inbound": "on-demand",
        "outbound": "always",
    }
    argv = ("--internal-inbound", "never", "--lock", "told so", "--fail-mode", "announce", "--name", "A")
    assert filled("policy", "set", "0102", *argv).code == 0
    shown = filled("policy", "show", "0102", "--json").json
    assert shown["internal_inbound"] == "never"
    assert (shown["lock_reason"], shown["fail_mode"], shown["name"]) == ("told so", "announce", "A")
    assert filled("policy", "set", "0102", "--internal-inbound", "same", "--fail-mode", "default").code == 0
    assert "internal_inbound" not in filled("policy", "show", "0102", "--json").json


def test_set_says_what_is_heard_of_a_recording_and_how_much_it_holds(filled: Program) -> None:
    argv = ("--lookback", "whole-call", "--announce", "this-call-is-recorded", "--beep", "15")
    assert filled("policy", "set", "0102", *argv).code == 0
    shown = filled("policy", "show", "0102", "--json").json
    assert (shown["lookback"], shown["announce"], shown["beep"]) == (
        "whole-call",
        "this-call-is-recorded",
        "15",
    )
    assert filled("policy", "set", "0102", "--lookback", "off", "--announce", "-", "--beep", "0").code == 0
    after = filled("policy", "show", "0102", "--json").json
    assert (after["lookback"], after.keys() & {"announce", "beep"}) == ("off", set())


@pytest.mark.parametrize("argv", [("--announce", "../secret"), ("--beep", "4"), ("--beep", "soon")])
def test_what_a_file_may_not_say_cannot_be_set(filled: Program, argv: tuple[str, str]) -> None:
    before = filled("policy", "show", "0102", "--json").json
    said = filled("policy", "set", "0102", *argv)
    assert (said.code, said.out) == (64, "")
    assert repr(argv[1]) in said.err
    assert filled("policy", "show", "0102", "--json").json == before


def test_set_begins_with_the_default(filled: Program) -> None:
    assert filled("policy", "set", "200", "--inbound", "always").code == 0
    shown = filled("policy", "show", "200", "--json").json
    assert (shown["inbound"], shown["outbound"]) == ("always", "never")


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (("set", "200"), 64, "say what to set"),
        (("set", "a b", "always"), 64, "'a b' is not an extension"),
        (("set", "200", "sometimes"), 64, "invalid choice: 'sometimes'"),
        (("set", "200", "--lock", "a\x1bb"), 64, "is not one line"),
        (("set", "200", "--lock", "x", "--unlock"), 64, "not allowed with"),
        (("delete", "999"), 1, "999 has no policy of its own"),
    ],
)
def test_what_cannot_be_set_is_one_sentence(
    filled: Program, argv: tuple[str, ...], code: int, sentence: str
) -> None:
    said = filled("policy", *argv)
    assert (said.code, sentence in said.err) == (code, True), said
    assert filled("policy", "list", "--json").json["version"] == 1


def test_an_extension_without_a_policy_shows_the_default_and_1(filled: Program) -> None:
    said = filled("policy", "show", "999", "--json")
    assert (said.code, said.json["own"], said.json["inbound"]) == (1, False, "never")


def test_delete_lets_an_extension_follow_the_default(filled: Program) -> None:
    assert filled("policy", "delete", "101").code == 0
    assert filled("policy", "show", "101").code == 1


def test_each_change_is_logged_under_its_makers_name(
    filled: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "ivan")
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert filled("policy", "set", "101", "never").code == 0

    async def last(store: Store) -> None:
        assert (await store.policy_log())[-1].who == "cli:ivan"

    filled.fill(last)


def test_set_tells_whether_the_daemon_has_it(filled: Program) -> None:
    assert "the daemon is not reached" in filled("policy", "set", "101", "never").out
    with serving(SmallDaemon(version=3), filled.socket):
        assert "policy 3, the daemon has it" in filled("policy", "set", "101", "always").out


def test_the_memory_store_forgets(program: Program) -> None:
    program.configure(url="memory:")
    assert program("policy", "list", "--json").json["extensions"] == []
    assert program("policy", "set", "101", "always", "--json").json["version"] == 1
    assert program("policy", "list", "--json").json["version"] == 0


def test_a_database_server_that_is_down_is_one_sentence(program: Program) -> None:
    program.configure(url="postgresql://u:hidden@127.0.0.1:1/n")
    said = program("policy", "list")
    assert (said.code, said.err.count("\n"), "hidden" in said.err) == (69, 1, False)


# --- explain -----------------------------------------------------------------------------------


def test_explain_tells_the_decision_and_every_reason(filled: Program) -> None:
    argv = ("--from", "0612345678", "--to", "101", "--did", "5550101", "--at", "2026-11-23 10:00")
    said = filled("explain", *argv)
    assert said.code == 0
    assert said.out.splitlines() == [
        "0612345678 (outside) calls 101 (an extension) at 2026-11-23 10:00:00",
        "record: always, 101 chose always for inbound calls",
        "if it cannot be recorded: open",
        "policy 1 of the database",
        "",
        "  rule “doctor”: does not apply, party is not 150",
        "  101 chose always for inbound calls: wins",
    ]


def test_explain_is_the_same_as_data(filled: Program) -> None:
    data = filled("explain", "--from", "101", "--to", "150", "--json").json
    assert (data["mode"], data["record"], data["policy_version"]) == ("never", False, 1)
    assert data["reason"] == "rule “doctor” says never, secrecy"


def test_explain_tells_a_rule_that_cannot_be_read(filled: Program) -> None:
    async def spoil(store: Store) -> None:
        await store.replace_rules([RuleRow(name="r", body={"mode": "sometimes"})], "test")

    filled.fill(spoil)
    said = filled("explain", "--from", "101", "--to", "102")
    assert said.code == 0
    assert "fault: rules in the database: rules.0.mode: 'sometimes' is not one of always" in said.out


def test_explain_decides_from_the_snapshot_while_the_database_is_away(filled: Program) -> None:
    async def load() -> None:
        store = open_store(filled.config.store.url)
        save_snapshot(str(filled.config.snapshot), await store.load_policy())
        await store.close()

    asyncio.run(load())
    Path(filled.folder, "recorderd.db").unlink()
    data = filled("explain", "--from", "0612345678", "--to", "101", "--json").json
    assert (data["mode"], data["source"].startswith("the snapshot")) == ("always", True)


def test_explain_with_what_is_no_number_or_time_is_one_sentence(filled: Program) -> None:
    assert "is not a number" in filled("explain", "--from", "a\nb", "--to", "1").err
    assert "is not a time such as" in filled("explain", "--from", "1", "--to", "1", "--at", "soon").err
