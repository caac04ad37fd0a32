"""recorderd.yaml: what each key takes, what it refuses, and how it says so."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recorderd.config import Config, FaultyConfig, load, merge_policy
from recorderd.config.load import parse, system_zone
from recorderd.config.policy_file import FileRule
from recorderd.config.sections import key_paths
from recorderd.core.policy import ExtensionPolicy, FailMode, Mode, Strength
from recorderd.errors import ConfigError

LOGIN = "asterisk: {username: u, secret: s}\n"


def read(text: str, **environ: str) -> Config:
    return parse(text, Path("f"), environ)


def faults(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(text, **environ)
    return str(error.value).split("\n")


def test_a_login_is_all_that_must_be_given() -> None:
    config = read(LOGIN)
    assert (config.asterisk.username, config.asterisk.secret, config.agi.port) == ("u", "s", 4573)
    assert [path for path, required in key_paths().items() if required] == ["asterisk.username"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "asterisk:\n"])
def test_an_empty_file_names_what_is_missing(text: str) -> None:
    assert any("asterisk.username: is missing" in fault for fault in faults(text))


@pytest.mark.parametrize("text", ["- a\n", "just text\n"])
def test_a_file_that_is_no_mapping_is_told(text: str) -> None:
    assert "is a section with the keys asterisk, agi" in faults(text)[0]


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("agi: {enabled: off}", "agi.enabled", False),
        ("agi: {enabled: Yes}", "agi.enabled", True),
        ("agi: {host: '::1', port: 04573}", "agi.port", 4573),
        ("asterisk: {username: u, secret: 0101}", "asterisk.secret", "0101"),
        ("asterisk: {username: on, secret: s}", "asterisk.username", "on"),
        ("spool: {fallback: /mnt/a}", "spool.fallback", (Path("/mnt/a"),)),
        ("spool: {fallback: [/mnt/a, /mnt/b]}", "spool.fallback", (Path("/mnt/a"), Path("/mnt/b"))),
        ("store: {url: 'memory:'}", "store.url", "memory:"),
        ("store: {url: 'postgresql://u:p@h/n'}", "store.url", "postgresql://u:p@h/n"),
        ("cdr: {source: 'sqlite:////var/log/master.db'}", "cdr.source", "sqlite:////var/log/master.db"),
        ("cdr: {source: 'mysql://u:p@h/asteriskcdrdb'}", "cdr.source", "mysql://u:p@h/asteriskcdrdb"),
        ("alarms: {command: '/bin/m \"a b\" root'}", "alarms.command", ("/bin/m", "a b", "root")),
        ("channels: {devices: {PJSIP/desk-7: 0107}}", "channels.devices", {"PJSIP/desk-7": "0107"}),
        ("policy: {emergency: [112, 0101]}", "policy.emergency", ("112", "0101")),
        ("policy: {emergency: []}", "policy.emergency", ()),
        ("policy: {lists: {vip: [_0800., 101]}}", "policy.lists", {"vip": ("_0800.", "101")}),
        ("policy: {fail_mode: closed-before}", "policy.fail_mode", FailMode.CLOSED_BEFORE),
        ("agi:", "agi.port", 4573),
        ("panel: {proxies: ['::1', 10.1.0.0/24]}", "panel.proxies", ("::1", "10.1.0.0/24")),
        ("panel: {socket: /run/x/p.sock, user_header: X-User}", "panel.user_header", "X-User"),
        (
            "panel: {oidc: {issuer: 'http://127.0.0.1:8', client_id: c, secret: s, "
            "redirect_uri: 'https://p.example/login/oidc/return'}}",
            "panel.oidc.secret",
            "s",
        ),
    ],
)
def test_values_are_typed(text: str, path: str, value: Any) -> None:
    found: Any = read(text if text.startswith("asterisk") else LOGIN + text)
    for step in path.split("."):
        found = getattr(found, step)
    assert found == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("agii: {}", "f:2:1: agii: unknown key 'agii' (did you mean 'agi'?)"),
        ("agi: {prot: 1}", "f:2:7: agi.prot: unknown key 'prot' (did you mean 'port'?)"),
        ("agi: {port: 0}", "f:2:7: agi.port: '0' is not a port from 1 to 65535"),
        ("agi: {port: 65536}", "f:2:7: agi.port: '65536' is not a port from 1 to 65535"),
        ("agi: {port: ４５}", "f:2:7: agi.port: '４５' is not a port from 1 to 65535"),
        ("agi: {port: [1]}", "f:2:7: agi.port: is one value, not a list or a section"),
        ("agi: {host: 'a b'}", "f:2:7: agi.host: 'a b' is not a host name or an address"),
        ("agi: {enabled: maybe}", "f:2:7: agi.enabled: 'maybe' is not true or false"),
        ("agi: on", "f:2:1: agi: is a section with the keys enabled, host, port"),
        ("state: var/lib", "f:2:1: state: 'var/lib' is not an absolute path"),
        ("state: /var/../etc", "f:2:1: state: '/var/../etc' has a `..` in it"),
        ("state: ''", "f:2:1: state: is empty"),
        ("spool: {lanes: '/a,b(c)'}", "f:2:9: spool.lanes: '/a,b(c)' may only have letters, digits and"),
        ("spool: {fallback: [/a, b]}", "f:2:24: spool.fallback.1: 'b' is not an absolute path"),
        ("store: {url: mysql://h/n}", "f:2:9: store.url: does not begin with sqlite:/// or postgresql://"),
        ("store: {url: 'sqlite:///rel.db'}", "f:2:9: store.url: needs an absolute path: sqlite:////"),
        (
            "cdr: {source: 'memory:'}",
            "f:2:7: cdr.source: does not begin with sqlite:///, postgresql:// or mysql://",
        ),
        ("cdr: {table: 'cdr; drop'}", "f:2:7: cdr.table: 'cdr; drop' is not a name that a database table"),
        ("log: {level: wanring}", "f:2:7: log.level: 'wanring' is not one of debug, info, warning, error (d"),
        ("feature: {name: 'a#b'}", "f:2:11: feature.name: 'a#b' is not a name of letters"),
        ("feature: {prompts: de}", "f:2:11: feature.prompts: 'de' is not one of tones, en, ru"),
        ("alarms: {webhook: 'ftp://x'}", "f:2:10: alarms.webhook: is not an address that begins with"),
        ("alarms: {command: mail root}", "f:2:10: alarms.command: does not begin with the absolute path"),
        ("alarms: {command: '/bin/x \"'}", "f:2:10: alarms.command: cannot be split into words: no closing"),
        ("channels: {extension_pattern: '(?P<ext>.)'}", "has no group (?P<extension>...)"),
        ("channels: {extension_pattern: '('}", "is not a regular expression: missing ), unterminated"),
        ("channels: {devices: [a]}", "f:2:12: channels.devices: is a mapping"),
        ("channels: {devices: {a: b c}}", "f:2:22: channels.devices.a: 'b c' is not an extension"),
        ("policy: {timezone: Mars/Olympus}", "f:2:10: policy.timezone: 'Mars/Olympus' is not a time zone"),
        ("policy: {timezone: ../../etc/passwd}", "is not a time zone"),
        ("policy: {emergency: [help]}", "f:2:22: policy.emergency.0: 'help' is not a telephone number"),
        (
            "policy: {default: alway}",
            "f:2:10: policy.default: 'alway' is not one of always, on-demand, never",
        ),
        ("policy: {default: {inbound: always}}", "f:2:10: policy.default.outbound: outbound is missing"),
        (
            "policy: {default: {inbound: always, outbound: never, locked: true}}",
            "f:2:54: policy.default.locked: unknown key 'locked'",
        ),
        ("policy: {fail_mode: shut}", "f:2:10: policy.fail_mode: 'shut' is not one of open, announce,"),
        ("policy: {lists: {a: ['@b']}}", "f:2:22: policy.lists.a.0: a list cannot name another list"),
        ("policy: {lists: {a: ['1,2']}}", "f:2:22: policy.lists.a.0: '1,2' is several numbers in one"),
        ("policy: {lists: {a: [_0800Q]}}", "f:2:22: policy.lists.a.0: '_0800Q' is not a dialplan pattern"),
        ("policy: {lists: {'a b': [1]}}", "f:2:18: policy.lists.a b: 'a b' is not a name of letters"),
        ("policy: {precedence: {modes: [never, always]}}", "policy.precedence.modes: names each of always,"),
        ("policy: {precedence: {modes: never}}", "policy.precedence.modes: is a list of always, on-demand,"),
        ("policy: {precedence: {strengths: [rule, lok, choice, default]}}", "'lok' is not one of rule,"),
        ("policy: {precedence: []}", "policy.precedence: is a section with the keys strengths, modes"),
    ],
)
def test_each_fault_has_its_place_and_a_sentence(text: str, fault: str) -> None:
    found = faults(LOGIN + text)
    assert len(found) == 1, found
    assert fault in found[0]


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = "asterisk: {port: x}\nagi: {port: y}\nstate: z\nnonsense: 1\nlog: {level: loud}\nlog: {}\n"
    lines = [fault.split(":")[1] for fault in faults(text)]
    assert lines == ["1", "1", "1", "2", "3", "4", "5", "6"]


def test_a_fault_is_data_for_a_machine() -> None:
    with pytest.raises(FaultyConfig) as error:
        read(LOGIN + "agi: {port: 0}")
    (fault,) = error.value.faults
    assert (fault.file, fault.line, fault.column, fault.key) == ("f", 2, 7, "agi.port")


# --- secrets -----------------------------------------------------------------------------------


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_secret_comes_from_a_file_of_its_own(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "s3cret\n")
    config = read(f"asterisk: {{username: u, secret_file: {secret}}}")
    assert (config.asterisk.secret, config.warnings) == ("s3cret", ())


def test_a_secret_comes_from_systemds_credentials(tmp_path: Path) -> None:
    write(tmp_path / "asterisk-secret", "s3cret")
    assert read("asterisk: {username: u}", CREDENTIALS_DIRECTORY=str(tmp_path)).asterisk.secret == "s3cret"


def test_a_secret_of_the_file_outweighs_a_credential(tmp_path: Path) -> None:
    write(tmp_path / "asterisk-secret", "other")
    assert read(LOGIN, CREDENTIALS_DIRECTORY=str(tmp_path)).asterisk.secret == "s"


def test_two_secrets_or_none_are_a_fault() -> None:
    assert faults("asterisk: {username: u, secret: s, secret_file: /s}") == [
        "f:1:36: asterisk.secret_file: is given beside secret: keep one of them"
    ]
    assert faults("asterisk: {username: u}") == [
        "f:1:1: asterisk.secret: is missing: give secret, secret_file or the credential asterisk-secret"
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "must hold the secret on its one line"),
        (b"\n", "must hold the secret on its one line"),
        (b"a\nAction: Originate\n", "must hold the secret on its one line"),
        (b"a\x00b", "must hold the secret on its one line"),
        (b"\xff\xfe", "cannot be read: it is not a text file"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_secret_file_that_holds_no_secret_is_a_fault(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "s").write_bytes(content)
    assert sentence in faults(f"asterisk: {{username: u, secret_file: {tmp_path}/s}}")[0]


def test_a_secret_that_everybody_can_read_is_warned_of(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "s3cret\n", 0o644)
    text = f"asterisk: {{username: u, secret_file: {secret}}}"
    assert load(write(tmp_path / "f", text, 0o644), {}).warnings == (
        f"{secret} can be read by every user of this machine: chmod o-r {secret}",
    )
    warning = "f holds a secret and can be read by every user"
    assert warning in load(write(tmp_path / "f", LOGIN, 0o644), {}).warnings[0]
    assert load(write(tmp_path / "f", LOGIN, 0o640), {}).warnings == ()


def test_no_secret_is_in_the_repr() -> None:
    config = read(
        "asterisk: {username: u, secret: hidden1}\nstore: {url: 'postgresql://u:hidden2@h/n'}\n"
        "cdr: {source: 'postgresql://u:hidden3@h/n'}\nalarms: {webhook: 'https://h/hidden4'}\n"
    )
    assert "hidden" not in repr(config)


# --- zones -------------------------------------------------------------------------------------


def test_the_zone_of_policy_is_asterisks_unless_it_is_said() -> None:
    login = "asterisk: {username: u, secret: s, timezone: Europe/Moscow}\n"
    assert str(read(login).base_policy().zone) == "Europe/Moscow"
    assert str(read(login + "policy: {timezone: Asia/Omsk}").base_policy().zone) == "Asia/Omsk"


def test_the_systems_zone_has_its_rules(tmp_path: Path) -> None:
    zoneinfo = tmp_path / "zoneinfo" / "Europe"
    zoneinfo.mkdir(parents=True)
    (zoneinfo / "Berlin").write_bytes(b"")
    (tmp_path / "localtime").symlink_to(zoneinfo / "Berlin")
    assert str(system_zone(tmp_path / "localtime", {})) == "Europe/Berlin"
    assert str(system_zone(tmp_path / "localtime", {"TZ": ":Asia/Omsk"})) == "Asia/Omsk"
    assert system_zone(tmp_path / "none", {"TZ": "nonsense"}) is UTC
    (tmp_path / "broken").write_bytes(b"no zone")
    assert system_zone(tmp_path / "broken", {}) is UTC


def test_a_copied_localtime_has_its_rules_too() -> None:
    source = Path("/usr/share/zoneinfo/Europe/Berlin")
    if not source.exists():
        pytest.skip("this machine has no zones as files")
    copy = Path(os.environ.get("TMPDIR", "/tmp"), f"localtime-{os.getpid()}")
    copy.write_bytes(source.read_bytes())
    try:
        zone = system_zone(copy, {})
    finally:
        copy.unlink()
    summer, winter = datetime(2026, 7, 1, tzinfo=zone), datetime(2026, 1, 1, tzinfo=zone)
    assert summer.utcoffset() != winter.utcoffset()


# --- policy --------------------------------------------------------------------------------------


def test_the_files_policy_is_version_nought_without_rules() -> None:
    policy = read(
        LOGIN + "policy: {default: on-demand, emergency: [112], fail_mode: announce,"
        " precedence: {modes: [always, never, on-demand]}}"
    ).base_policy()
    assert (policy.version, policy.rules, dict(policy.extensions)) == (0, (), {})
    assert (policy.default.inbound, policy.fail_mode) == (Mode.ON_DEMAND, FailMode.ANNOUNCE)
    assert policy.emergency == frozenset({"112"})
    assert policy.precedence.modes[0] is Mode.ALWAYS
    assert policy.precedence.strengths[0] is Strength.RULE


def test_the_stores_rows_are_read_with_the_files_lists() -> None:
    config = read(LOGIN + "policy: {lists: {vip: [101]}}")
    extension = ExtensionPolicy(extension="101", inbound=Mode.ALWAYS, outbound=Mode.NEVER)
    rules = [
        FileRule(name="good", body={"when": {"caller": "@vip"}, "mode": "always"}),
        FileRule(name="off", body={"mode": "nonsense"}, enabled=False),
        FileRule(name="bad", body={"when": {"caller": "@gone"}, "mode": "always"}),
        FileRule(name="worse", body={"mode": "sometimes"}),
    ]
    policy, told = merge_policy(config, [extension], rules, 9)
    assert (policy.version, policy.extensions["101"]) == (9, extension)
    assert "good" in [rule.name for rule in policy.rules]
    assert "worse" not in [rule.name for rule in policy.rules]
    assert "there is no list 'gone'; known lists: vip" in str(told[0])
    assert "'sometimes' is not one of always, on-demand, never" in str(told[1])


def test_names_follow_the_pattern_and_its_exceptions() -> None:
    names = read(
        LOGIN + r"channels: {extension_pattern: 'SIP/(?P<extension>\d+)x?', devices: {SIP/lobby: 0100}}"
    ).names()
    assert names.extension("SIP/101x-00000001") == "101"
    assert names.extension("SIP/lobby-00000002") == "0100"
    assert names.extension("SIP/trunk-00000003") == ""
