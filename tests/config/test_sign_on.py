"""Who may say who somebody is: nobody, unless it is written whom to believe and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorderd.config.load import parse
from recorderd.errors import ConfigError

LOGIN = "asterisk: {username: u, secret: s}\n"
BACK = "redirect_uri: 'https://calls.example.org/login/oidc/return'"
OIDC = f"issuer: 'https://id.example', client_id: c, {BACK}"


def test_neither_way_is_on_by_itself() -> None:
    panel = parse(LOGIN, Path("f"), {}).panel
    assert (panel.user_header, panel.oidc.issuer, panel.proxies, panel.socket) == ("", "", (), None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("user_header: X-User", "panel.user_header: is believed from nobody: name the proxy"),
        ("user_header: Cookie, proxies: [127.0.0.1]", "'Cookie' is sent by browsers themselves"),
        ("user_header: 'X User', proxies: [127.0.0.1]", "'X User' is not the name of a header"),
        ("proxies: ['*']", "'*' is not an address such as 127.0.0.1"),
        ("proxies: [proxy.example.org]", "is not an address such as 127.0.0.1"),
        ("proxies: [10.1.0.1/24]", "is not an address such as 127.0.0.1"),
        ("oidc: {issuer: 'https://id.example'}", "panel.oidc.client_id: is missing beside issuer"),
        ("oidc: {issuer: 'https://id.example', client_id: c}", "panel.oidc.redirect_uri: is missing beside"),
        ("oidc: {issuer: 'http://id.example'}", "'http://id.example' does not begin with https://"),
        ("oidc: {issuer: 'https://u:p@id.example'}", "is not an address such as https://login.example.org"),
        ("oidc: {redirect_uri: 'https://p.example/other'}", "does not end with /login/oidc/return"),
        (f"oidc: {{{OIDC}, scopes: [profile]}}", "panel.oidc.scopes: openid is not among them"),
        (f"oidc: {{{OIDC}, role_claim: groups}}", "panel.oidc.roles: and role_claim go together"),
        (f"oidc: {{{OIDC}, role_claim: g, roles: {{a: king}}}}", "'king' is not one of user, supervisor"),
        (f"oidc: {{{OIDC}, secret: s, secret_file: /x}}", "panel.oidc.secret_file: is given beside secret"),
        (f"oidc: {{{OIDC}, secret_file: /nowhere/x}}", "panel.oidc.secret_file: /nowhere/x cannot be read"),
    ],
)
def test_what_would_believe_the_wrong_ones_is_a_fault(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(f"{LOGIN}panel: {{{text}}}", Path("f"), {})
    assert fault in str(error.value)


def test_the_clients_secret_is_in_a_file_or_a_credential_and_in_no_repr(tmp_path: Path) -> None:
    file = tmp_path / "oidc-secret"
    file.write_text("s3cret\n")
    file.chmod(0o604)
    config = parse(f"{LOGIN}panel: {{oidc: {{{OIDC}, secret_file: {file}}}}}", Path("f"), {})
    assert config.panel.oidc.secret == "s3cret"
    assert "s3cret" not in repr(config)
    assert any("can be read by every user" in warning for warning in config.warnings)
    text = f"{LOGIN}panel: {{oidc: {{{OIDC}}}}}"
    assert parse(text, Path("f"), {"CREDENTIALS_DIRECTORY": str(tmp_path)}).panel.oidc.secret == "s3cret"
    # The daemon's unit has not this credential, and needs it for nothing.
    assert parse(text, Path("f"), {"CREDENTIALS_DIRECTORY": "/nowhere"}).panel.oidc.secret == ""
