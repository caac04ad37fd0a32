"""Policy in a file: whole, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recorderd.errors import StoreError
from recorderd.store.abc import PolicyRows, RuleRow
from recorderd.store.snapshot import load_snapshot, save_snapshot
from tests.store import sample

POLICY = PolicyRows(
    version=12,
    extensions=(sample.extension("101"), sample.extension("102", fail_mode=None)),
    names={"101": "Анна", "102": ""},
    rules=(RuleRow(name="r", body={"z": 1, "a": ["0101", None]}, enabled=False),),
)


def test_policy_comes_back_as_it_was_saved_and_the_newer_replaces_the_older(tmp_path: Path) -> None:
    path = str(tmp_path / "policy.json")
    assert load_snapshot(path) is None
    save_snapshot(path, PolicyRows())
    save_snapshot(path, POLICY)
    assert load_snapshot(path) == POLICY
    assert os.listdir(tmp_path) == ["policy.json"]
    assert os.stat(path).st_mode & 0o007 == 0, "not for everybody"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"version":"1"}', b'{"nonsense":1}', b"[" * 99_999]
)
def test_a_broken_snapshot_is_one_clear_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"policy.json is broken: "):
        load_snapshot(str(path))


def test_a_snapshot_that_cannot_be_written_or_read_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written: No such file or directory"):
        save_snapshot(str(tmp_path / "none" / "policy.json"), POLICY)
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        load_snapshot(str(tmp_path))


def test_a_failed_save_keeps_the_old_snapshot(tmp_path: Path) -> None:
    path = str(tmp_path / "policy.json")
    save_snapshot(path, POLICY)
    os.mkdir(f"{path}.part")
    with pytest.raises(StoreError):
        save_snapshot(path, PolicyRows(version=13))
    assert load_snapshot(path) == POLICY
