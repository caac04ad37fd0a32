"""Rows on paper: whatever goes out comes back, and nothing else gets in."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorderd.core import chain, entries, keeping, rows
from recorderd.store import abc, codec, panel
from recorderd.store.panel_tables import TABLES
from tests.store import sample, sample_chain, sample_keeping, sample_panel

_finite = st.floats(allow_nan=False, allow_infinity=False)
_text = st.text()


def _rows_of(module: Any) -> set[type]:
    return {
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, rows.Row) and c is not rows.Row
    }


def _any_row(cls: type[rows.Row]) -> st.SearchStrategy[rows.Row]:
    for kind, strategy in ((float, _finite), (str, _text)):
        st.register_type_strategy(kind, strategy)
    json_mapping = st.dictionaries(_text, st.recursive(st.none() | st.booleans() | _text, st.lists))
    free = {f.name: json_mapping for f in dataclasses.fields(cls) if "Any" in str(f.type)}
    return st.builds(cls, **free)


def test_every_row_of_the_core_and_of_the_store_has_a_codec_a_table_and_a_sample() -> None:
    every = {row for module in (rows, chain, entries, keeping, abc, panel) for row in _rows_of(module)}
    assert every == set(codec.KEYS) == set(TABLES)
    assert every - {abc.PolicyLogRow} == {
        type(row)
        for each in (sample, sample_panel, sample_keeping, sample_chain)
        for row in each.one_of_each()
    }


def test_every_field_of_a_row_has_its_column_and_every_column_its_field() -> None:
    for cls, table in TABLES.items():
        assert {f.name for f in dataclasses.fields(cls)} == set(table.columns.keys()), cls
        assert tuple(table.primary_key.columns.keys()) == codec.KEYS[cls], cls


@given(st.sampled_from(sorted(codec.NAMES)).flatmap(lambda name: _any_row(codec.NAMES[name])))
def test_any_row_comes_back_from_its_line(row: rows.Row) -> None:
    line = codec.to_line(row)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    back = codec.from_line(line)
    assert codec.to_line(back) == line
    if not any("\\ufffd" in part or "\\u0000" in part for part in (line.decode(), repr(row))):
        assert back == row


@given(st.text(st.characters() | st.sampled_from("\0\ud800\udcff")))
def test_cleaned_text_fits_every_back_end(text: str) -> None:
    cleaned = codec.clean(text)
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert "\0" not in cleaned
    assert len(cleaned) == len(text)
    assert codec.clean(cleaned) == cleaned


@given(st.binary() | st.text().map(lambda text: json.dumps([text, {}]).encode()))
def test_a_line_that_is_no_row_is_a_value_error_and_nothing_else(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        codec.from_line(line)


def _changed(**values: Any) -> bytes:
    return json.dumps(["Mark", {**codec.to_plain(sample.mark()), **values}]).encode()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (_changed(at="1"), "Mark.at: number wanted"),
        (_changed(at=True), "Mark.at: number wanted"),
        (_changed(at=float("inf")), "Mark.at: number wanted"),
        (_changed(id=None), "Mark.id: text wanted"),
        (_changed(id=1), "Mark.id: text wanted"),
        (_changed(extra=1), "no field 'extra'"),
        (b'["Mark",{}]', "Mark lacks 'id'"),
        (b'["Mark",[]]', "not a row"),
        (b'["ExtensionPolicy",{}]', "not a row"),
        (b"[" * 100_000, "deep"),
        (codec.to_line(sample.cdr()).replace(b'"sequence":1', b'"sequence":1.5'), "whole number"),
        (codec.to_line(sample.lane()).replace(b'"stretches":[[', b'"stretches":[[1,'), "2 values"),
        (codec.to_line(sample.lane()).replace(b'"state":"closed"', b'"state":"shut"'), "shut"),
        (codec.to_line(sample.interval()).replace(b'"wanted":true', b'"wanted":1'), "true or false"),
        (
            codec.to_line(sample.interval()).replace(b'"parties":[', b'"parties":[7,'),
            "Party is not a mapping",
        ),
        (codec.to_line(sample.alarm()).replace(b'"keys":{"path":"/x"}', b'"keys":[]'), "mapping wanted"),
    ],
)
def test_a_hostile_line_is_refused_with_its_reason(line: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        codec.from_line(line)
