"""policy import --freepbx: from an export, from standard input, from the running Asterisk; all or nothing."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest

from recorderd.ami.fake import FakeAsterisk
from recorderd.ami.fake_pbx import listing, message
from tests.cli.conftest import Program
from tests.cli.test_check import asterisk, configure, online

EXPORT = """\
/AMPUSER/101/recording/in/external                : force
/AMPUSER/101/recording/priority                   : 10
/AMPUSER/102/recording/out/internal               : yes
2 results found.
"""


def extensions(program: Program) -> dict[str, dict[str, object]]:
    return {e.pop("extension"): e for e in program("policy", "list", "--json").json["extensions"]}


def test_an_export_becomes_policies_and_tells_what_it_could_not_say(migrated: Program) -> None:
    path = migrated.folder / "ampuser.txt"
    path.write_text(EXPORT)
    dry = migrated("policy", "import", "--freepbx", str(path), "--dry-run", "--json").json
    assert (dry["dry_run"], dry["added"], extensions(migrated)) == (True, 2, {})
    assert dry["extensions"]["101"]["inbound"] == "always"
    assert dry["not_mapped"]["101"][0].startswith("priority 10: ")
    said = migrated("policy", "import", "--freepbx", str(path))
    assert said.code == 0
    assert "101: priority 10: " in said.out
    found = extensions(migrated)
    assert (found["101"]["locked"], found["102"]["internal_outbound"]) == (True, "always")
    again = migrated("policy", "import", "--freepbx", str(path), "--json").json
    assert (again["added"], again["changed"], again["removed"]) == (0, 0, 0)


def test_it_is_read_from_standard_input(migrated: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(EXPORT))
    assert migrated("policy", "import", "--freepbx", "-").code == 0
    assert set(extensions(migrated)) == {"101", "102"}


def test_a_hostile_export_is_told_and_changes_nothing(migrated: Program) -> None:
    assert migrated("policy", "set", "200", "always").code == 0
    path = migrated.folder / "ampuser.txt"
    path.write_text(
        EXPORT + "/AMPUSER/103;rm -rf/recording/in/external : yes\n/AMPUSER/104/recording/ondemand : 1\n"
    )
    said = migrated("policy", "import", "--freepbx", str(path))
    assert said.code == 65
    assert "ampuser.txt:5:1: '103;rm -rf' is not an extension" in said.err
    assert "ampuser.txt:6:1: 104 ondemand: '1' is not one of" in said.err
    assert set(extensions(migrated)) == {"200"}
    assert migrated("policy", "import", "--freepbx", str(migrated.folder / "none")).code == 66
    assert migrated("policy", "import").code == 64


def test_without_a_file_the_running_asterisk_is_asked(migrated: Program) -> None:
    fake = FakeAsterisk()
    entries = {"101/recording/in/external": "never", "101/cidname": "Иван", "101/voicemail": "novm"}
    items = [message(Event="DBGetTreeResponse", Key=f"/AMPUSER/{k}", Val=v) for k, v in entries.items()]
    fake.answers["DBGetTree"] = lambda action: listing(action, "DBGetTreeComplete", items)
    with asterisk(fake):
        configure(migrated, fake.port)
        said = migrated("policy", "import", "--freepbx")
    assert said.code == 0, said.err
    assert extensions(migrated)["101"]["inbound"] == "never"
    assert extensions(migrated)["101"]["name"] == "Иван"
    gone = migrated("policy", "import", "--freepbx")
    assert gone.code == 69
    assert "Traceback" not in gone.err
    assert set(extensions(migrated)) == {"101"}


@pytest.mark.parametrize(("writable", "rights"), [("true", "may be completed"), ("false", "is only read")])
def test_check_says_what_may_be_done_with_asterisks_own_table(
    migrated: Program, tmp_path: Path, writable: str, rights: str
) -> None:
    columns = "uniqueid,sequence,linkedid,calldate,channel,dstchannel,disposition,duration,billsec"
    with sqlite3.connect(migrated.folder / "master.db") as database:
        database.execute(f"CREATE TABLE cdr ({columns},recordingfile)")
        database.execute(f"CREATE TABLE thin ({columns})")
    source = f"source: sqlite:///{migrated.folder}/master.db, writable: {writable}"
    configure(migrated, 1, more=f"cdr: {{{source}}}\n")
    assert f"cdr has what is needed, and {rights}" in online(migrated, tmp_path)[1]["ok"]
    configure(migrated, 1, more=f"cdr: {{{source}, table: thin}}\n")
    problems = online(migrated, tmp_path)[1]["PROBLEM"]
    assert ("Asterisk's CDR table thin has no column recordingfile" in problems) == (writable == "true")
