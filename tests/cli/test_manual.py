"""The manual pages: every command, every option, every key and every condition is in them."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.cli.command import Exit
from recorderd.cli.policy import VERBS
from recorderd.cli.program import parser
from recorderd.cli.registry import COMMANDS
from recorderd.config.policy_file import CSV_COLUMNS
from recorderd.config.sections import key_paths
from recorderd.core.conditions import CONDITIONS
from recorderd.core.policy import FailMode, Mode
from recorderd.core.rules import EXTENSION_KEYS, RULE_KEYS

PAGES = Path(__file__).resolve().parents[2] / "docs" / "man"


def page(name: str) -> str:
    """The page's text, its roff dashes and fonts undone."""
    text = (PAGES / name).read_text().replace("\\-", "-")
    return re.sub(r"\\f.", "", text)


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every long option of the program, its commands and their verbs."""
    for action in parser._actions:
        yield from (text for text in action.option_strings if text.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from options(one)


@pytest.mark.parametrize("word", [*COMMANDS, *(f"policy {v}" for v in VERBS), "db migrate", "db backup"])
def test_every_command_is_in_the_manual(word: str) -> None:
    assert re.search(rf'^\.B[RI]* .*"?\b{word}\b', page("recorderd.1"), re.M)


@pytest.mark.parametrize("option", sorted(set(options(parser()))))
def test_every_option_is_in_the_manual(option: str) -> None:
    assert re.search(rf"{option}\b", page("recorderd.1"))


@pytest.mark.parametrize("code", list(Exit))
def test_every_exit_code_is_in_the_manual(code: Exit) -> None:
    assert re.search(rf"^{code.value}:", page("recorderd.1"), re.M)


@pytest.mark.parametrize("key", key_paths())
def test_every_key_is_in_the_manual(key: str) -> None:
    assert re.search(rf"^\.B[R]* .*\b{re.escape(key)}\b", page("recorderd.yaml.5"), re.M)


@pytest.mark.parametrize(
    "word", [*CONDITIONS, *EXTENSION_KEYS, *RULE_KEYS, *CSV_COLUMNS, *Mode, *FailMode, "enabled"]
)
def test_every_word_of_policy_is_in_the_manual(word: str) -> None:
    assert re.search(rf"\b{word}\b", page("recorderd.yaml.5"))


@pytest.mark.parametrize("name", ["recorderd.1", "recorderd.yaml.5"])
def test_the_pages_are_roff_without_a_warning(name: str) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-t", "-man", "-Tutf8", "-ww", "-z", str(PAGES / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
