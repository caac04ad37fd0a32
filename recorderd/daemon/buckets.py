"""From the configuration to the bucket: owns the one place that knows both, and the library being an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recorderd.clerk.entries import keyring_of
from recorderd.config import Config
from recorderd.daemon.stock import Stock
from recorderd.errors import ConfigError

if TYPE_CHECKING:
    from recorderd.archive.objects import Bucket
    from recorderd.store.abc import Store

# Somebody waits for the panel and for a command, nobody for the archive.
SOMEBODY_WAITS = 4.0
NOBODY_WAITS = 20.0


def bucket_of(config: Config, seconds: float = NOBODY_WAITS) -> Bucket | None:
    """The bucket of `archive.objects`, None without one; a request may take `seconds` and one repetition.

    Asks nobody anything yet. Raises ConfigError.
    """
    settings = config.archive.objects
    if not settings.url:
        return None
    try:
        # Only here: who has no bucket need not have the library.
        from recorderd.archive.objects import Address, Bucket
    except ImportError as error:
        raise ConfigError(
            f"archive.objects needs obstore, which is not installed ({error}): pip install 'recorderd[objects]'"
        ) from error
    address = Address(
        url=settings.url,
        endpoint=settings.endpoint,
        region=settings.region,
        credentials=settings.credentials,
    )
    return Bucket(address, seconds=seconds)


def stock_of(config: Config, store: Store, seconds: float = NOBODY_WAITS) -> Stock | None:
    """What this machine has in the bucket, None without one. Raises ConfigError."""
    bucket = bucket_of(config, seconds)
    if bucket is None:
        return None
    return Stock(
        store.keeping,
        bucket,
        config.spool.monitor,
        keyring_of(config),
        config.node,
        config.archive.objects.cache,
    )
