"""check --online beside a real Asterisk: what the fake answers is what the real ones answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.cli.probe_host import AS_ROOT
from tests.cli.conftest import Program
from tests.cli.test_check import configure, online, ready
from tests.live.asterisk import SECRET, Asterisk

__all__ = ["ready"]  # a fixture of the tests beside

pytestmark = pytest.mark.live

SAMPLES = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture(scope="module", params=[22, 16], ids=["asterisk22", "asterisk16"])
def asterisk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    """With our samples in its configuration, as an administrator would put them there."""
    files = {
        "cdr_manager.conf": (SAMPLES / "cdr_manager_recorderd.conf").read_text(),
        "cdr_sqlite3_custom.conf": (SAMPLES / "cdr_sqlite3_recorderd.conf").read_text(),
        "features_recorderd.conf": (SAMPLES / "features_recorderd.conf").read_text(),
        "features.conf": "[general]\n\n[featuremap]\n\n[applicationmap]\n#include features_recorderd.conf\n",
        "narrow.conf": "[narrow]\nsecret = narrow\nread = call\nwrite = call\n",
        "recorderd.conf": (SAMPLES / "manager_recorderd.conf")
        .read_text()
        .replace("[recorderd]", "[sampled]")
        .replace("change-me", SECRET),
    }
    folder = tmp_path_factory.mktemp(f"asterisk{request.param}-")
    instance = Asterisk.start(request.param, folder, files=files)
    manager = folder / "etc" / "manager.conf"
    manager.write_text(manager.read_text() + "\n#include recorderd.conf\n#include narrow.conf\n")
    instance.cli("manager reload")
    yield instance
    instance.stop()


def etc(asterisk: Asterisk) -> Path:
    return asterisk.folder / "etc"


def as_user(program: Program, asterisk: Asterisk, username: str, secret: str, more: str = "") -> None:
    configure(program, asterisk.ami_port, secret, more)
    text = program.file.read_text().replace("username: recorderd", f"username: {username}")
    program.file.write_text(text)


def test_our_samples_leave_nothing_to_be_said(ready: Program, asterisk: Asterisk) -> None:
    database = asterisk.folder / "log" / "master.db"
    as_user(ready, asterisk, "sampled", SECRET, f"cdr: {{source: 'sqlite:///{database}'}}\n")
    code, found = online(ready, etc(asterisk))
    usual = (AS_ROOT, "not running", "files stay WAV")
    told = [s for s in found["warning"] if not any(known in s for known in usual)]
    assert (code, found["PROBLEM"], told) == (0, [], []), asterisk.complaints()
    assert any(s.startswith(f"Asterisk {asterisk.version}.") for s in found["ok"])
    assert "*1" in asterisk.cli("features show")


def test_a_user_with_too_few_rights_is_told_which(ready: Program, asterisk: Asterisk) -> None:
    as_user(ready, asterisk, "narrow", "narrow")
    code, found = online(ready, etc(asterisk))
    told = "\n".join(found["PROBLEM"])
    assert code == 77
    assert "may not" in told
    assert "MixMonitor" in told
    assert "it needs read = system" in told
    assert "[narrow] lacks read = system,cdr,user" in told
    assert "[narrow] lacks write = system" in told


def test_a_wrong_secret_is_refused_once(ready: Program, asterisk: Asterisk) -> None:
    as_user(ready, asterisk, "sampled", "wrong")
    code, found = online(ready, etc(asterisk))
    assert (code, len(found["PROBLEM"])) == (77, 1)


def test_the_rigs_own_user_may_more_than_is_good(ready: Program, asterisk: Asterisk) -> None:
    as_user(ready, asterisk, "rig", SECRET)
    code, found = online(ready, etc(asterisk))
    assert (code, any("may also Originate, Command" in s for s in found["warning"])) == (0, True)
