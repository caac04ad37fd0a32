"""The Debian package, and machines of their own to install it on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built anew, or the one that RECORDERD_DEB names."""
    if ready := os.environ.get("RECORDERD_DEB"):
        return Path(ready)
    into = tmp_path_factory.mktemp("deb")
    done = subprocess.run(
        [ROOT / "scripts" / "package", "--into", into], check=True, stdout=subprocess.PIPE, text=True
    )
    return Path(done.stdout.strip().splitlines()[-1])
