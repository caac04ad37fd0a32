"""A disk so small that a test can fill it, or one that takes nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, options: str = "size=64k") -> Iterator[Path]:
    """A file system of its own mounted on `folder`, which is made; the test is skipped for all but root."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, options: str) -> None:
    """The file system at `folder` is another from now on."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
