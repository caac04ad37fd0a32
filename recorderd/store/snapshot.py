"""Policy in a file, so that a daemon that starts while the database is away can decide all the same.

Owns that file. Must not know where policy comes from or what it means.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from recorderd.errors import StoreError
from recorderd.store import codec
from recorderd.store.abc import PolicyRows


def save_snapshot(path: str, policy: PolicyRows) -> None:
    """Put policy into the file, which holds the old one or the new one whole, whatever happens."""
    data = json.dumps(codec.to_plain(policy), ensure_ascii=False, indent=1).encode()
    part = f"{path}.part"
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(os.path.dirname(path) or ".")
    except OSError as error:
        with suppress(OSError):
            os.unlink(part)
        raise StoreError(
            f"The policy snapshot {path} cannot be written: {error.strerror or error}"
        ) from error


def load_snapshot(path: str) -> PolicyRows | None:
    """Policy as it was last saved, None when it never was. StoreError for a file that is broken."""
    try:
        policy: PolicyRows = codec.from_plain(PolicyRows, json.loads(Path(path).read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"The policy snapshot {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"The policy snapshot {path} is broken: {error}") from error
    return policy


def _sync_folder(folder: str) -> None:
    """A rename is on disk only when its folder is."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
