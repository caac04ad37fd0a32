"""What the panel stands on beside the database: the provider through which people sign in.

Owns how it is tried. Changes nothing.
"""

from __future__ import annotations

import asyncio
import time

from recorderd.cli.command import Exit
from recorderd.cli.findings import Finding, Level
from recorderd.config import Config
from recorderd.errors import ConfigError, RecorderdError


def provider(config: Config) -> list[Finding]:
    """That it says of itself what the configuration expects, and has keys that we can check with."""
    if not config.panel.oidc.issuer:
        return []
    # Only here: it brings the panel's libraries.
    from recorderd.panel.oidc import Provider

    try:
        count = asyncio.run(Provider(config.panel.oidc, time.time).look())
    except ConfigError as error:
        return [Finding("sign-on", Level.PROBLEM, str(error), Exit.CONFIG)]
    except RecorderdError as error:
        sentence = f"nobody can sign in through {config.panel.oidc.issuer}: {error}"
        return [Finding("sign-on", Level.PROBLEM, sentence)]
    return [Finding("sign-on", Level.OK, f"{config.panel.oidc.issuer} answers; keys to check with: {count}")]
