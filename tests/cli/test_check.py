"""check: the configuration alone, and online against an Asterisk that is small and does as it is told."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recorderd.ami.fake import FakeAsterisk, fail, ok
from recorderd.cli import asterisk_conf
from recorderd.cli.probe_host import AS_ROOT
from recorderd.store.abc import RuleRow, Store
from tests.cli.conftest import Program, serving
from tests.control.conftest import SmallDaemon
from tests.panel.provider import CLIENT, providing

ETC = {
    "manager.conf": "[general]\ntimestampevents = yes\n#include manager.d/*.conf\n",
    "manager.d/recorderd.conf": "[recorderd]\nread = system,call,cdr,user\nwrite = system,call\n",
    "features.conf": "[applicationmap]\nrecorderd => *1,self,AGI,agi://127.0.0.1:4573/toggle ; ours\n",
    "cdr_manager.conf": "[general]\nenabled = yes\n[mappings]\n"
    "recordingfile => recordingfile\nlinkedid => linkedid\nsequence => sequence\n",
}


@contextmanager
def asterisk(fake: FakeAsterisk) -> Iterator[FakeAsterisk]:
    """The fake in a thread of its own: the command blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    fake.answers.setdefault("ModuleCheck", lambda action: ok(action, Version="1"))
    try:
        asyncio.run_coroutine_threadsafe(fake.start(), loop).result(10)
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def configure(program: Program, port: int, secret: str = "s3cret", more: str = "") -> None:
    login = f"host: 127.0.0.1, port: {port}, username: recorderd, secret: {secret}"
    program.configure(more, asterisk=login)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    for name, text in ETC.items():
        folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(name).write_text(text)
    return folder


@pytest.fixture
def ready(program: Program) -> Program:
    """Everything that a check looks at is as it should be, but the daemon and Asterisk."""
    assert program("db", "migrate").code == 0
    assert program("policy", "set", "101", "always").code == 0
    for folder in ("monitor", "lanes"):
        program.folder.joinpath(folder).mkdir()
        program.folder.joinpath(folder).chmod(0o2770)
    return program


def online(program: Program, etc: Path) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and the sentences by level."""
    said = program("check", "--online", "--json", "--asterisk-etc", str(etc))
    found: dict[str, list[str]] = {"ok": [], "warning": [], "PROBLEM": []}
    for finding in said.json["findings"]:
        found[finding["level"]].append(finding["sentence"])
    return said.code, found


def test_check_says_that_the_configuration_is_well_and_what_it_warns_of(program: Program) -> None:
    program.file.chmod(0o644)
    said = program("check")
    assert said.code == 0
    assert "is well" in said.out
    assert "holds a secret and can be read by every user" in said.out


def test_all_is_well_when_it_is(ready: Program, etc: Path) -> None:
    with asterisk(FakeAsterisk()) as fake, serving(SmallDaemon(), ready.socket):
        configure(ready, fake.port)
        code, found = online(ready, etc)
    assert (code, found["PROBLEM"]) == (0, [])
    assert "Asterisk 22.10.1" in found["ok"]
    assert "1 extensions, 0 rules" in found["ok"]
    told = [s for s in found["warning"] if s != AS_ROOT and "files stay WAV" not in s]
    assert told == ["CDRs come from AMI's events: of calls made while recorderd is down there will be none"]


def test_a_wrong_secret_is_77_and_said_once(ready: Program, etc: Path) -> None:
    with asterisk(FakeAsterisk()) as fake:
        configure(ready, fake.port, secret="wrong-one")
        code, found = online(ready, etc)
        assert len(fake.actions("Login")) == 1
    (sentence,) = found["PROBLEM"]
    assert code == 77
    assert "refused the login of manager user 'recorderd'" in sentence
    assert "wrong-one" not in sentence


def test_nobody_there_is_69(ready: Program, etc: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        configure(ready, closed.getsockname()[1])
        code, found = online(ready, etc)
    assert (code, len(found["PROBLEM"])) == (69, 1)
    assert "cannot be reached" in found["PROBLEM"][0]


def test_something_else_on_the_port_is_told(ready: Program, etc: Path) -> None:
    with asterisk(FakeAsterisk(banner="SSH-2.0-OpenSSH_9")) as fake:
        configure(ready, fake.port)
        code, found = online(ready, etc)
    assert (code, "is not Asterisk's manager" in found["PROBLEM"][0]) == (69, True)


def test_missing_rights_to_write_are_named(ready: Program, etc: Path) -> None:
    fake = FakeAsterisk()
    fake.faults.forbidden = frozenset({"MixMonitor", "StopMixMonitor"})
    with asterisk(fake):
        configure(ready, fake.port)
        code, found = online(ready, etc)
    assert code == 77
    assert "may not MixMonitor, StopMixMonitor: it needs write = system,call" in found["PROBLEM"][0]


def test_no_fully_booted_is_a_missing_right_to_read(ready: Program, etc: Path) -> None:
    fake = FakeAsterisk()
    fake.faults.not_booted = True
    with asterisk(fake):
        configure(ready, fake.port)
        code, found = online(ready, etc)
    assert (code, "it needs read = system" in found["PROBLEM"][0]) == (77, True)


def test_rights_that_nobody_needs_are_warned_of(ready: Program, etc: Path) -> None:
    fake = FakeAsterisk()
    fake.answers["Originate"] = fake.answers["Command"] = ok
    with asterisk(fake):
        configure(ready, fake.port)
        code, found = online(ready, etc)
    assert (code, any("may also Originate, Command" in s for s in found["warning"])) == (0, True)


def test_modules_and_versions_are_looked_at(ready: Program, etc: Path) -> None:
    fake = FakeAsterisk()
    fake.version = "13.38.3"
    fake.answers["ModuleCheck"] = lambda action: fail(action, "Module not loaded")
    with asterisk(fake):
        configure(ready, fake.port)
        code, found = online(ready, etc)
    assert (code, found["PROBLEM"]) == (69, ["app_mixmonitor is not loaded: nothing can be recorded"])
    assert any("Asterisk 13.38.3: recorderd is tested with 16 to 22" in s for s in found["warning"])
    assert any("cdr_manager is not loaded" in s for s in found["warning"])


@pytest.mark.parametrize(
    ("name", "text", "level", "sentence"),
    [
        ("manager.conf", "[general]\n", "warning", "set timestampevents = yes"),
        ("manager.conf", "[general]\ntimestampevents=yes\n", "warning", "no user [recorderd]"),
        (
            "manager.d/recorderd.conf",
            "[recorderd]\nread = system\nwrite = all\n",
            "PROBLEM",
            "lacks read = call,cdr",
        ),
        ("features.conf", "[applicationmap]\nother => *1\n", "warning", "[applicationmap] has no recorderd"),
        ("cdr_manager.conf", "[general]\nenabled=no\n", "warning", "set enabled = yes"),
        ("cdr_manager.conf", "[general]\nenabled=yes\n", "warning", "lacks recordingfile => recordingfile"),
        ("features.conf", None, "warning", "features.conf was not looked at: No such file or directory"),
    ],
)
def test_asterisks_own_files_are_looked_at(
    ready: Program, etc: Path, name: str, text: str | None, level: str, sentence: str
) -> None:
    if text is None:
        etc.joinpath(name).unlink()
    else:
        etc.joinpath(name).write_text(text)
    with asterisk(FakeAsterisk()) as fake:
        configure(ready, fake.port)
        _, found = online(ready, etc)
    assert any(sentence in told for told in found[level]), found


def test_a_spool_that_is_not_there_or_not_shared_is_told(ready: Program, etc: Path) -> None:
    ready.folder.joinpath("monitor").rmdir()
    ready.folder.joinpath("lanes").chmod(0o755)
    with asterisk(FakeAsterisk()) as fake:
        configure(ready, fake.port)
        code, found = online(ready, etc)
    assert code == 73
    assert found["PROBLEM"] == [f"{ready.folder}/monitor cannot be written: No such file or directory"]
    assert any(f"{ready.folder}/lanes is 0755: make it setgid" in s for s in found["warning"])
    assert list(ready.folder.joinpath("lanes").iterdir()) == []


def test_a_cdr_table_that_is_not_there_is_told(ready: Program, etc: Path) -> None:
    with asterisk(FakeAsterisk()) as fake:
        configure(ready, fake.port, more="cdr: {source: 'sqlite:////nowhere/master.db'}\n")
        code, found = online(ready, etc)
    assert (code, len(found["PROBLEM"])) == (69, 1)


def test_before_the_first_start_it_is_no_problem_that_there_is_no_database(ready: Program, etc: Path) -> None:
    file = ready.folder / "recorderd.db"
    file.unlink()
    with asterisk(FakeAsterisk()) as fake:
        configure(ready, fake.port, more="node: pbx1\n")
        code, found = online(ready, etc)
    assert code == 0, found
    assert f"there is none at {file} yet: recorderd makes it when it starts" in found["warning"]
    assert not file.exists()


def test_a_rule_that_cannot_be_read_is_a_problem(ready: Program, etc: Path) -> None:
    async def spoil(store: Store) -> None:
        await store.replace_rules([RuleRow(name="r", body={"mode": "sometimes"})], "test")

    ready.fill(spoil)
    with asterisk(FakeAsterisk()) as fake:
        configure(ready, fake.port)
        code, found = online(ready, etc)
    assert (code, "a rule is left out: rules.0.mode" in found["PROBLEM"][0]) == (78, True)


def test_templates_includes_and_comments_of_asterisks_files_are_understood(tmp_path: Path) -> None:
    tmp_path.joinpath("a.conf").write_text(
        "[base](!)\nread = system\n;-- all\nof = this --;\n[user](base)\nwrite => call ; not this\n"
        '#include "b.conf"\n#tryinclude none.conf\n[user](+)\nmore = \\;kept\n'
    )
    tmp_path.joinpath("b.conf").write_text("secret = x\n#include b.conf\n")
    user = asterisk_conf.read(tmp_path / "a.conf")["user"]
    assert user == {"read": "system", "write": "call", "secret": "x", "more": "\\;kept"}


def test_keys_of_the_archive_are_looked_at_and_other_readers_are_named(ready: Program, etc: Path) -> None:
    key = ready.folder / "a.key"
    key.write_text("00" * 32)
    key.chmod(0o644)
    keys = f"{{a: {key}, b: {ready.folder}/b.key}}"
    with asterisk(FakeAsterisk()) as fake, serving(SmallDaemon(), ready.socket):
        configure(ready, fake.port, more=f"archive: {{encryption: {{key_id: a, keys: {keys}}}}}")
        code, found = online(ready, etc)
        assert code == 0
        assert any("tools that open the file of a CDR (FreePBX" in sentence for sentence in found["ok"])
        assert any(sentence.endswith(f"chmod o-r {key}") for sentence in found["warning"])
        assert any("Key “b” is missing" in sentence for sentence in found["warning"])
        key.unlink()
        code, found = online(ready, etc)
    assert (code, ["Key “a” is missing" in sentence for sentence in found["PROBLEM"]]) == (78, [True])


def test_the_provider_through_which_people_sign_in_is_asked(ready: Program, etc: Path) -> None:
    with asterisk(FakeAsterisk()) as fake, serving(SmallDaemon(), ready.socket), providing() as provider:
        more = (
            f"panel: {{oidc: {{issuer: '{provider.issuer}', client_id: {CLIENT}, secret: x, "
            "redirect_uri: 'https://panel.example/login/oidc/return'}}"
        )
        configure(ready, fake.port, more=more)
        code, found = online(ready, etc)
        assert (code, f"{provider.issuer} answers; keys to check with: 1" in found["ok"]) == (0, True)
        provider.metadata = {"issuer": "https://evil.example"}
        code, found = online(ready, etc)
    assert code != 0
    [sentence] = found["PROBLEM"]
    assert "nobody can sign in through" in sentence
    assert "calls itself https://evil.example" in sentence
