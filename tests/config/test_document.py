"""YAML as text with places: what a scalar stays, where a fault is, and what no file may do to us."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.config import FaultyConfig, document
from recorderd.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("on", "on"),
        ("No", "No"),
        ("0101", "0101"),
        ("0x1F", "0x1F"),
        ("12:30", "12:30"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("2026-11-23", "2026-11-23"),
        ("=", "="),
        ("'null'", "null"),
        ("null", None),
        ("~", None),
        ("", None),
        ('""', ""),
    ],
)
def test_scalars_stay_text(written: str, read: str | None) -> None:
    assert document.parse(f"key: {written}", "f").value == {"key": read}


def test_every_key_and_item_has_its_place() -> None:
    found = document.parse("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "f")
    assert found.where(("a", "b")) == (2, 3)
    assert found.where(("a", "c", 0)) == (4, 7)
    assert found.where(("a", "c", 1, "d")) == (5, 8)
    assert found.where(("a", "missing", "deeper")) == (1, 1)
    assert found.where(("a", "c", 7)) == (3, 3)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\na: 2\n", "f:2:1: a: 'a' is written twice"),
        ("a: &x [1]\nb: *x\n", "f:2:1: b: aliases are not understood here"),
        ("a: &x [*x]\n", "f:1:8: a.0: aliases are not understood here"),
        ("a: !!python/object:os.system ls\n", "f:1:1: a: the tag 'tag:yaml.org,2002:python/object"),
        ("a: !secret x\n", "f:1:1: a: the tag '!secret' is not understood here"),
        ("? [1, 2]\n: x\n", "f:1:3: a key must be a plain text"),
        ("a: 1\n--- \nb: 2\n", "f:2:1: a second document begins here"),
        ('"": 1\n', "f:1:1: a key must be a plain text"),
    ],
)
def test_what_is_not_plain_is_a_fault(text: str, fault: str) -> None:
    found = document.parse(text, "f")
    assert fault in "\n".join(map(str, found.located(found.faults)))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [1\nb: 2\n", "f:2:2: is not YAML"),
        ("a: b: c\n", "f:1:5: is not YAML"),
        ("\tb: 1\n", "f:1:1: is not YAML"),
        ("a: " + "[" * 30 + "]" * 30, "f:1:24: is nested too deeply"),
        ("a: 1\nb: \x07\n", "f:2:1: has a character that YAML does not allow"),
        ("a: " + "[" * 100_000, "f:"),
        ("{" * 5_000, "f:"),
    ],
)
def test_what_is_not_yaml_is_one_fault_with_its_place(text: str, fault: str) -> None:
    with pytest.raises(FaultyConfig) as error:
        document.parse(text, "f")
    assert str(error.value).startswith(fault)
    assert len(error.value.faults) == 1


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_one_sentence(text: str) -> None:
    try:
        document.parse(text, "f")
        told = "f:"
    except ConfigError as error:
        told = str(error)
    assert told.startswith("f:")


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read: No such file or directory$"):
        document.read_text(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        document.read_text(tmp_path)
    (tmp_path / "latin").write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(ConfigError, match=r"latin:2:4: is not UTF-8 text$"):
        document.read_text(tmp_path / "latin")
    (tmp_path / "big").write_bytes(b"#" * (document.MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="is larger than 8 MiB"):
        document.read_text(tmp_path / "big")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert document.parse(document.read_text(tmp_path / "f"), "f").value == {"a": "1"}
