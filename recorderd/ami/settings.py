"""How to reach Asterisk's manager interface, and how patient to be. Must not know a configuration file."""

from __future__ import annotations

from dataclasses import dataclass, field

from recorderd.ami import wire
from recorderd.errors import AmiError, ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiSettings:
    """Where Asterisk listens and who we are there. All times are seconds.

    Raises ConfigError where a value could never be sent, so that a login cannot be made to say more.
    """

    host: str = "127.0.0.1"
    port: int = 5038
    username: str
    secret: str = field(repr=False)
    feature: str = "recorderd"
    more_features: tuple[str, ...] = ()
    connect_timeout: float = 3.0
    login_timeout: float = 3.0
    boot_timeout: float = 5.0
    action_deadline: float = 2.0
    list_deadline: float = 10.0
    ping_interval: float = 1.0
    ping_deadline: float = 2.0
    reconnect_within: float = 1.0
    refused_first: float = 2.0
    refused_most: float = 60.0

    @property
    def longest_greeting(self) -> float:
        """Seconds from the first SYN until events flow, at the very most: filter and mask are two actions."""
        return self.connect_timeout + self.login_timeout + self.boot_timeout + 2 * self.action_deadline

    def __post_init__(self) -> None:
        for name in ("username", "secret", "feature"):
            try:
                wire.header(name, getattr(self, name))
            except AmiError as error:
                raise ConfigError(f"asterisk.{name}: {error}") from None
        if not 0 < self.port < 65536:
            raise ConfigError(f"asterisk.port: {self.port} is not a TCP port")
