"""The manual pages: every command, every option, every key and every condition is in them."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.agi.script import HANDLERS
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


def test_the_manual_has_no_option_that_is_not() -> None:
    told = set(re.findall(r"--[a-z][a-z-]*", page("recorderd.1")))
    assert told - set(options(parser())) == set()


def test_each_command_has_its_own_options_in_its_own_paragraph() -> None:
    """Both ways: what an entry's head shows is what that command takes."""
    lacking = {
        command: (sorted(given - told), sorted(told - given))
        for command, given in _of_commands(parser())
        if (told := _told(command)) != given
    }
    assert lacking == {}


def _of_commands(program: argparse.ArgumentParser, above: str = "") -> Iterator[tuple[str, set[str]]]:
    """(command with its verb, its options), but for those that every command takes."""
    verbs = [a for a in program._actions if isinstance(a, argparse._SubParsersAction)]
    if above and not verbs:
        yield above.strip(), set(options(program)) - {"--config", "--json", "--help"}
    for action in verbs:
        for name, one in action.choices.items():
            yield from _of_commands(one, f"{above} {name}")


def _told(command: str) -> set[str]:
    """The options in the heads of this command's entries; one head may be for several commands."""
    text = page("recorderd.1").replace("\\\n", " ")
    heads = [h for h in re.findall(r"^\.TP\n(\.B[RI]* .*)$", text, re.M) if _is_of(h, command)]
    assert heads, command
    return {option for head in heads for option in re.findall(r"--[a-z][a-z-]*", head)}


WITH_VERBS = {"policy", "user", "db", "keys", "evidence"}


def _is_of(head: str, command: str) -> bool:
    words = re.sub(r'["\[\]{}|,]', " ", re.sub(r"^\.B[RI]* ", "", head)).split()
    one, *verb = command.split()
    if verb:
        return words[0] == one and verb[0] in words
    return words[0] == one or (one in words and words[0] not in WITH_VERBS)


@pytest.mark.parametrize("route", HANDLERS)
def test_every_route_of_the_agi_script_is_in_its_manual(route: str) -> None:
    assert re.search(rf"^\.B[RI]* .*/{route}\b", page("recorderd-agi.1"), re.M)


def test_every_variable_of_the_agi_scripts_environment_is_in_its_manual() -> None:
    source = (PAGES.parents[1] / "recorderd" / "agi" / "script.py").read_text()
    read = set(re.findall(r'environ\.get\([\'"](\w+)[\'"]', source))
    told = set(
        re.findall(r"^\.B (RECORDERD_\w+)$", page("recorderd-agi.1").partition("ENVIRONMENT")[2], re.M)
    )
    assert read == told


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


@pytest.mark.parametrize("name", sorted(page.name for page in PAGES.iterdir()))
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
