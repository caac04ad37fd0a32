"""user and panel: who may sign in, from the command line."""

from __future__ import annotations

import re

import pytest

from recorderd.cli.command import Exit
from tests.cli.conftest import Program


@pytest.fixture
def ready(program: Program) -> Program:
    """With a database."""
    assert program("db", "migrate").code == Exit.OK
    return program


def test_somebody_is_let_in_with_a_code(ready: Program) -> None:
    said = ready("user", "add", "101", "--name", "Ann")
    assert said.code == Exit.OK
    assert re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}", said.out)
    [account] = ready("user", "list", "--json").json
    assert (account["login"], account["extension"], account["role"], account["state"]) == (
        "101",
        "101",
        "user",
        "new",
    )
    assert ready("user", "code", "101", "--json").json["code"] not in said.out


def test_roles_scopes_and_rights_are_given_and_changed(ready: Program) -> None:
    said = ready("user", "add", "lead", "--role", "supervisor", "--scope", "102 @sales", "--json").json
    assert (said["role"], said["scope"], said["rights"]) == ("supervisor", ["102", "@sales"], None)
    changed = ready("user", "role", "lead", "auditor", "--rights", "list play download", "--json").json
    assert (changed["role"], changed["rights"]) == ("auditor", ["list", "play", "download"])
    assert ready("user", "disable", "lead").code == Exit.OK
    assert ready("user", "list", "--json").json[0]["state"] == "disabled"
    assert ready("user", "enable", "lead").code == Exit.OK


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("add", "101"), Exit.DATA, "taken"),
        (("add", "a b"), Exit.DATA, "A login has letters"),
        (("add", "ann"), Exit.DATA, "A user has an extension"),
        (("add", "102", "--rights", "fly"), Exit.DATA, "is not a right"),
        (("add", "102", "--rights", "administer"), Exit.DATA, "cannot have"),
        (("code", "nobody"), Exit.NO, "no such user"),
        (("add", "102", "--role", "king"), Exit.USAGE, "king"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    ready: Program, words: tuple[str, ...], code: Exit, sentence: str
) -> None:
    ready("user", "add", "101")
    said = ready("user", *words)
    assert said.code == code
    assert sentence in said.err


def test_a_list_of_nobody_says_how_to_begin(ready: Program) -> None:
    assert "recorderd user add" in ready("user", "list").out


def test_the_lists_of_calls_are_made_anew(ready: Program) -> None:
    assert ready("db", "reindex").out == "the lists have 0 calls\n"
