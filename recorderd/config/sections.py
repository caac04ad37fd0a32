"""The keys of recorderd.yaml: owns one frozen dataclass for each section, and every default.

Must not know how a file is read. To add a key, add a field here and an annotated line in
config/recorderd.yaml; tests fail until sample, manual and fields agree.
"""

from __future__ import annotations

# ruff: noqa: RUF009  (`key` makes a dataclass field, as `field` does)
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import tzinfo
from pathlib import Path
from types import MappingProxyType

from recorderd.config import archive_keys, panel_keys, policy_keys
from recorderd.config import scalars as a
from recorderd.config.keys import items, key, mapping, scalar, section
from recorderd.core.channels import Names
from recorderd.core.dealing import Foreign
from recorderd.core.policy import DEFAULT_EXTENSION, ExtensionPolicy, FailMode, Precedence
from recorderd.core.retention import FOREVER, Keep

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asterisk:
    """Where the manager interface is, and as whom we log in. `secret` is resolved by `load`.

    `timezone` is the zone of Asterisk's own clock: file names and CDR times are in it.
    """

    host: str = key(scalar(a.host), "127.0.0.1")
    port: int = key(scalar(a.port), 5038)
    username: str = key(scalar(a.text))
    secret: str = key(scalar(a.text), "", hidden=True)
    secret_file: Path | None = key(scalar(a.path), None)
    timezone: tzinfo | None = key(scalar(a.zone), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agi:
    """Where the dialplan finds us."""

    enabled: bool = key(scalar(a.boolean), True)
    host: str = key(scalar(a.host), "127.0.0.1")
    port: int = key(scalar(a.port), 4573)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The socket for the command line and the panel; `group` may use it (empty: our own group)."""

    socket: Path = key(scalar(a.path), Path("/run/recorderd/control.sock"))
    group: str = key(scalar(a.name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The database. Its address may hold a password, so it is in no `repr`."""

    url: str = key(scalar(a.database), "sqlite:////var/lib/recorderd/recorderd.db", hidden=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """Where audio lies: the files that people play, the lanes while a call lasts, and where else to try."""

    monitor: Path = key(scalar(a.spool_path), Path("/var/spool/asterisk/monitor"))
    lanes: Path = key(scalar(a.spool_path), Path("/var/spool/asterisk/recorderd"))
    fallback: tuple[Path, ...] = key(items(a.spool_path), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Which extension a channel belongs to; see `core.channels.Names`."""

    extension_pattern: re.Pattern[str] = key(scalar(a.extension_pattern), Names().pattern)
    devices: Mapping[str, str] = key(mapping(a.text, scalar(a.extension)), _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the file says of policy; extensions and rules are in the store.

    `default` is for extensions without a choice of their own, `emergency` numbers connect whatever fails,
    `lists` are the sets of numbers that rules name as `@list`.
    """

    default: ExtensionPolicy = key(policy_keys.default, DEFAULT_EXTENSION)
    fail_mode: FailMode = key(policy_keys.fail_mode, FailMode.OPEN)
    emergency: tuple[str, ...] = key(items(a.number), ("112", "911"))
    timezone: tzinfo | None = key(scalar(a.zone), None)
    lists: Mapping[str, tuple[str, ...]] = key(policy_keys.lists, MappingProxyType({}))
    precedence: Precedence = key(policy_keys.precedence, Precedence())


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """The feature codes: their names in features.conf, whether we offer them on channels, what is played.

    `pause` is the code that masks a recording, empty for none; a pause ends after `longest_pause` seconds.
    """

    name: str = key(scalar(a.name), "recorderd")
    offer: bool = key(scalar(a.boolean), True)
    prompts: str = key(scalar(a.one_of("tones", "en", "ru")), "tones")
    pause: str = key(scalar(a.name), "")
    longest_pause: int = key(scalar(a.count(5, 3600)), 180)


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrSource:
    """Where CDRs come from: AMI's events, or Asterisk's own `table` in the database `source`.

    `writable`: rows that Asterisk left without a recording's name may be completed there.
    """

    source: str = key(scalar(a.cdr_source), "ami", hidden=True)
    table: str = key(scalar(a.identifier), "cdr")
    writable: bool = key(scalar(a.boolean), False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveDisk:
    """When the disk fills: from `low_water` on an alarm, from `high_water` on what `when_full` says.

    `alarm` does no more; `stop` begins no recording until the disk is below `low_water` again; `expire` deletes
    the oldest beyond its minimum until it is.
    """

    low_water: int = key(scalar(archive_keys.percent), 85)
    high_water: int = key(scalar(archive_keys.percent), 95)
    when_full: str = key(scalar(a.one_of("alarm", "stop", "expire")), "alarm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """How kept files are encrypted: `key_id` is that of the key for new ones, empty for none. `keys` say where each
    key is: a file's path, or `credential:NAME`.
    """

    key_id: str = key(scalar(archive_keys.key_id), "")
    keys: Mapping[str, str] = key(mapping(archive_keys.key_id, scalar(archive_keys.key_place)), _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """The bucket where kept files go, `url` empty for none; `endpoint` is that of an S3-compatible server.

    `credentials` is a file of NAME=VALUE lines or `credential:NAME`; without it the environment's are taken.
    Kept files here take at most `cache` bytes; what was played least recently makes room.
    """

    url: str = key(scalar(archive_keys.bucket), "")
    endpoint: str = key(scalar(a.webhook), "")
    region: str = key(scalar(a.name), "")
    credentials: str = key(scalar(archive_keys.key_place), "")
    cache: int = key(scalar(archive_keys.size), 50 * 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """How audio is kept: the process `recorderd archive` does it.

    `named`: what becomes of the mix that Asterisk's CDR rows name. `warn` is how long before the disk will be
    full people are told. Times in seconds.
    """

    enabled: bool = key(scalar(a.boolean), False)
    format: str = key(scalar(archive_keys.form), "opus")
    bitrate: int = key(scalar(archive_keys.kbits), 20)
    delay: float = key(scalar(archive_keys.pause), 300.0)
    named: str = key(scalar(a.one_of("auto", "keep", "remove")), "auto")
    ffmpeg: str = key(scalar(a.text), "ffmpeg")
    minimum: float = key(scalar(archive_keys.age), 0.0)
    maximum: float = key(scalar(archive_keys.age), FOREVER)
    rules: tuple[Keep, ...] = key(archive_keys.rules, ())
    disk: ArchiveDisk = key(section(ArchiveDisk), ArchiveDisk())
    warn: float = key(scalar(archive_keys.age), 30 * 86_400.0)
    encryption: Encryption = key(section(Encryption), Encryption())
    objects: Objects = key(section(Objects), Objects())

    @property
    def default(self) -> Keep:
        """What holds where no rule does."""
        return Keep(format=self.format, minimum=self.minimum, maximum=self.maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The chain of evidence. `key` signs its heads; None: `evidence.key` in the state folder."""

    key: Path | None = key(scalar(a.path), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Whom to tell at once: a POST of JSON to `webhook`, the same JSON on `command`'s standard input."""

    webhook: str = key(scalar(a.webhook), "", hidden=True)
    command: tuple[str, ...] = key(scalar(a.command), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How much is logged, and whether each line is a JSON object."""

    level: str = key(scalar(a.one_of("debug", "info", "warning", "error")), "info")
    json: bool = key(scalar(a.boolean), False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """Signing in through an OpenID Connect provider; without an `issuer` there is none.

    `redirect_uri` is the panel's own address of `/login/oidc/return`, as the provider knows it. `login_claim` says
    who somebody is. Where `role_claim` is given, the first of `roles` that it holds is his role, and somebody
    new is taken in; where `extension_claim` is given, it is his extension. `secret` is resolved by `load`.
    """

    issuer: str = key(scalar(panel_keys.address), "")
    client_id: str = key(scalar(a.text), "")
    secret: str = key(scalar(a.text), "", hidden=True)
    secret_file: Path | None = key(scalar(a.path), None)
    redirect_uri: str = key(scalar(panel_keys.address), "")
    label: str = key(scalar(a.text), "")
    scopes: tuple[str, ...] = key(items(panel_keys.scope), ("openid", "profile"))
    login_claim: str = key(scalar(panel_keys.claim), "preferred_username")
    extension_claim: str = key(scalar(panel_keys.claim), "")
    role_claim: str = key(scalar(panel_keys.claim), "")
    roles: Mapping[str, str] = key(mapping(a.text, scalar(panel_keys.role)), _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The web panel, a process of its own: where it listens, and how long somebody stays signed in.

    With a `socket` it listens there, for a proxy, and `group` may use it; else at `host` and `port`.
    `secure_cookies`: `auto` marks cookies Secure where the request came by https. `proxies` are the addresses
    whose X-Forwarded-For and -Proto are believed, and so is whoever reaches the socket. `user_header` is the
    header in which they say who has signed in with them; empty for none. With `certificate` and `private_key` it
    speaks TLS itself.
    """

    host: str = key(scalar(a.host), "127.0.0.1")
    port: int = key(scalar(a.port), 8088)
    socket: Path | None = key(scalar(a.path), None)
    group: str = key(scalar(a.name), "")
    certificate: Path | None = key(scalar(a.path), None)
    private_key: Path | None = key(scalar(a.path), None)
    secure_cookies: str = key(scalar(a.one_of("auto", "always", "never")), "auto")
    session_hours: int = key(scalar(a.count(1, 24 * 30)), 12)
    idle_minutes: int = key(scalar(a.count(1, 24 * 60)), 60)
    proxies: tuple[str, ...] = key(items(panel_keys.proxy), ())
    user_header: str = key(scalar(panel_keys.header), "")
    oidc: Oidc = key(section(Oidc), Oidc())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of recorderd.yaml, section by section."""

    asterisk: Asterisk = key(section(Asterisk))
    agi: Agi = key(section(Agi), Agi())
    control: Control = key(section(Control), Control())
    store: Store = key(section(Store), Store())
    state: Path = key(scalar(a.path), Path("/var/lib/recorderd"))
    node: str = key(scalar(archive_keys.node), "")
    spool: Spool = key(section(Spool), Spool())
    channels: Channels = key(section(Channels), Channels())
    policy: Policy = key(section(Policy), Policy())
    foreign: Foreign = key(scalar(a.foreign), Foreign.LEAVE)
    feature: Feature = key(section(Feature), Feature())
    cdr: CdrSource = key(section(CdrSource), CdrSource())
    archive: Archive = key(section(Archive), Archive())
    evidence: Evidence = key(section(Evidence), Evidence())
    alarms: Alarms = key(section(Alarms), Alarms())
    panel: Panel = key(section(Panel), Panel())
    log: Log = key(section(Log), Log())


def key_paths(kind: type = Settings, above: str = "") -> dict[str, bool]:
    """Every key of the file, as `spool.lanes`, and whether it must be given."""
    found: dict[str, bool] = {}
    for item in fields(kind):
        inner = getattr(item.metadata.get("parse"), "section", None)
        if inner is not None:
            found |= key_paths(inner, f"{above}{item.name}.")
        elif "parse" in item.metadata:
            found[above + item.name] = item.metadata["required"]
    return found
