"""What one try at a folder tells of its disk: real, small file systems."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.archive.places import LEAST_BYTES, probe
from tests.small_disk import mounted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """One with room for two times the least."""
    with mounted(tmp_path / "disk", f"size={2 * LEAST_BYTES}") as folder:
        yield folder


def test_a_disk_with_hardly_any_room_is_full_before_it_is(small_disk: Path) -> None:
    """Room that one recording's end makes is filled by the next steps of others: it must not count as well again."""
    assert probe(str(small_disk)) == ""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(LEAST_BYTES + 65536))
    assert probe(str(small_disk)) == "full"
    ballast.unlink()
    assert probe(str(small_disk)) == ""


def test_a_folder_that_is_not_there_is_away(tmp_path: Path) -> None:
    assert probe(str(tmp_path / "nowhere")) == "away"
