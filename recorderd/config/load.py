"""From a path to a Config: owns secrets, the system's time zone and the warnings about both.

Must not know a section's keys one by one. A file with any fault gives no Config, only ConfigError with
every fault; whoever reloads keeps the old one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recorderd.config import document, keys, sections
from recorderd.config.faults import FaultyConfig
from recorderd.core import policy
from recorderd.core.channels import Names
from recorderd.core.rules import Fault, Reader

CREDENTIAL = "asterisk-secret"
OIDC_CREDENTIAL = "oidc-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(sections.Settings):
    """Everything recorderd.yaml says, whole and checked.

    Zones are set; `asterisk.secret` and `panel.oidc.secret` are the secrets themselves. `warnings` are sentences
    about what works and should not stay so.
    """

    path: Path
    warnings: tuple[str, ...] = ()

    @property
    def zone(self) -> tzinfo:
        """The zone of Asterisk's clock."""
        assert self.asterisk.timezone is not None, "load() sets it"
        return self.asterisk.timezone

    @property
    def journal(self) -> Path:
        """The folder of rows that wait for the database."""
        return self.state / "journal"

    @property
    def snapshot(self) -> Path:
        """The file of the policy last seen, to decide by while the database is away."""
        return self.state / "policy.json"

    @property
    def signing_key(self) -> Path:
        """The key that signs the heads of the chain of evidence."""
        return self.evidence.key or self.state / "evidence.key"

    def names(self) -> Names:
        """Which extension a channel belongs to."""
        return Names(pattern=self.channels.extension_pattern, devices=self.channels.devices)

    def base_policy(self) -> policy.Policy:
        """Policy as the file alone gives it: version 0, no rules, no extension's choices."""
        written = self.policy
        return policy.Policy(
            default=written.default,
            precedence=written.precedence,
            fail_mode=written.fail_mode,
            emergency=frozenset(written.emergency),
            zone=written.timezone or self.zone,
        )


def load(path: Path | str, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration file. Raises ConfigError: every fault, one `file:line:column` line each."""
    path = Path(path)
    return parse(document.read_text(path), path, environ)


def parse(text: str, path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """The same of a text already read; `path` is what faults call it."""
    found = document.parse(text, str(path))
    reader = Reader()
    reader.faults.extend(found.faults)
    values = keys.read(sections.Settings, reader, found.value, ())
    # Cross-checks need the one section, not all of them, so that they are told together with the rest.
    secret, warnings = _secret(reader, found.value, ("asterisk",), CREDENTIAL, environ, needed=True)
    oidc_secret, more = _secret(reader, found.value, ("panel", "oidc"), OIDC_CREDENTIAL, environ)
    if values is not None and "archive" in values:
        _encryption(reader, values["archive"])
        if values["archive"].objects.url and not values.get("node"):
            reader.fault(("node",), "is missing: with archive.objects every machine has a name of its own")
    if values is not None and "panel" in values:
        _sign_on(reader, values["panel"])
    if reader.faults or values is None:
        raise FaultyConfig(found.located(reader.faults))
    asterisk: sections.Asterisk = values["asterisk"]
    zone = asterisk.timezone or system_zone()
    values["asterisk"] = replace(asterisk, secret=secret, timezone=zone)
    panel: sections.Panel = values["panel"] if "panel" in values else sections.Panel()
    inside = bool(asterisk.secret or panel.oidc.secret)
    values["panel"] = replace(panel, oidc=replace(panel.oidc, secret=oidc_secret))
    config = Config(**values, path=path)
    return replace(config, warnings=(*warnings, *more, *_exposed(config, inside)))


class StoredRule(Protocol):
    """A rule as the store keeps it; `body` is its mapping as in YAML."""

    @property
    def name(self) -> str: ...
    @property
    def body(self) -> Mapping[str, object]: ...
    @property
    def enabled(self) -> bool: ...


def merge_policy(
    config: Config,
    extensions: Iterable[policy.ExtensionPolicy],
    rules: Iterable[StoredRule],
    version: int,
) -> tuple[policy.Policy, tuple[Fault, ...]]:
    """The policy in force: the file's, with the store's extensions and its enabled rules.

    A faulty rule is left out and reported; whoever calls decides whether to take what is left.
    """
    reader = Reader(config.policy.lists)
    read = reader.rules([{**rule.body, "name": rule.name} for rule in rules if rule.enabled])
    merged = replace(
        config.base_policy(),
        version=version,
        rules=read,
        extensions={e.extension: e for e in extensions},
    )
    return merged, tuple(reader.faults)


def _encryption(reader: Reader, archive: sections.Archive) -> None:
    """The key for new files is one that is known, and nothing is kept beside it in the clear."""
    place, wanted = ("archive", "encryption", "key_id"), archive.encryption.key_id
    if wanted and wanted not in archive.encryption.keys:
        reader.fault(place, f"{wanted} is not in archive.encryption.keys")
    if wanted and archive.named == "keep":
        sentence = "with encryption the mix is not kept in the clear: choose auto or remove"
        reader.fault(("archive", "named"), sentence)


def _sign_on(reader: Reader, panel: sections.Panel) -> None:
    """Nobody is believed about who somebody is unless it is said who may say so, and how it is understood."""
    if panel.user_header and not (panel.proxies or panel.socket):
        sentence = "is believed from nobody: name the proxy in panel.proxies, or listen on panel.socket"
        reader.fault(("panel", "user_header"), sentence)
    oidc, place = panel.oidc, ("panel", "oidc")
    for name in ("client_id", "redirect_uri") if oidc.issuer else ():
        if not getattr(oidc, name):
            reader.fault((*place, name), "is missing beside issuer")
    if oidc.redirect_uri and not oidc.redirect_uri.endswith("/login/oidc/return"):
        reader.fault((*place, "redirect_uri"), "does not end with /login/oidc/return")
    if "openid" not in oidc.scopes:
        reader.fault((*place, "scopes"), "openid is not among them")
    if bool(oidc.roles) != bool(oidc.role_claim):
        reader.fault((*place, "roles"), "and role_claim go together")


# --- secrets -----------------------------------------------------------------------------------


def _secret(
    reader: Reader,
    value: object,
    at: tuple[str, ...],
    credential: str,
    environ: Mapping[str, str],
    *,
    needed: bool = False,
) -> tuple[str, list[str]]:
    """A section's secret, from the one place that gives it, and warnings about that place.

    One that is not `needed` may be missing: whoever uses it says so.
    """
    section: object = value
    for name in at:
        section = section.get(name) if isinstance(section, Mapping) else None
    if not isinstance(section, Mapping):
        return "", []
    here, file = section.get("secret"), section.get("secret_file")
    if here and file:
        reader.fault((*at, "secret_file"), "is given beside secret: keep one of them")
        return "", []
    if here:
        return str(here), []
    if file and not str(file).startswith("/"):
        return "", []  # its own parser has said so
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    place = Path(str(file)) if file else Path(credentials, credential) if credentials else None
    if place is None or not (needed or file or place.exists()):
        if needed:
            ways = f"give secret, secret_file or the credential {credential}"
            reader.fault((*at, "secret"), f"is missing: {ways}")
        return "", []
    return _secret_from(reader, place, (*at, "secret_file"))


def _secret_from(reader: Reader, place: Path, at: tuple[str, ...]) -> tuple[str, list[str]]:
    try:
        with place.open("rb") as file:
            lines = file.read(4096).decode().splitlines()
            open_to_all = bool(stat.S_IMODE(os.fstat(file.fileno()).st_mode) & stat.S_IROTH)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not a text file"
        reader.fault(at, f"{place} cannot be read: {why}")
        return "", []
    secret = lines[0].strip() if lines else ""
    if len(lines) != 1 or not secret.isprintable() or not secret:
        reader.fault(at, f"{place} must hold the secret on its one line")
    return secret, [f"{place} can be read by every user of this machine: chmod o-r {place}"] * open_to_all


def _exposed(config: Config, secret_inside: bool) -> list[str]:
    """A warning when a file that holds a secret is readable by everybody."""
    holds = secret_inside or any("@" in url for url in (config.store.url, config.cdr.source))
    try:
        open_to_all = bool(config.path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return []
    if not (holds and open_to_all):
        return []
    who = "holds a secret and can be read by every user of this machine"
    return [f"{config.path} {who}: chmod o-r {config.path}"]


# --- the system's time zone ----------------------------------------------------------------------


def system_zone(localtime: Path = Path("/etc/localtime"), environ: Mapping[str, str] = os.environ) -> tzinfo:
    """The zone this machine is in, with its rules for summer time; UTC where nothing says."""
    _, found, name = os.path.realpath(localtime).partition("/zoneinfo/")
    for candidate in (environ.get("TZ", "").lstrip(":"), name if found else ""):
        try:
            if candidate:
                return ZoneInfo(candidate)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    try:
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file, key="localtime")
    except (OSError, ValueError):
        return UTC
