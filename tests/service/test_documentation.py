"""The documentation: every command is one that the program takes, every snippet loads, every link leads somewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection
from datetime import UTC
from pathlib import Path

import pytest

from recorderd.cli import main, moments
from recorderd.cli.program import parser
from recorderd.config.load import parse
from recorderd.config.sections import key_paths

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COOKBOOK = ROOT / "docs" / "policy.md"
MANUAL = ROOT / "docs" / "man" / "recorderd.1"
NOW = 1_795_416_000.0
SECTIONS = {path.partition(".")[0] for path in key_paths()}


def blocks(page: Path) -> list[str]:
    """Every indented or fenced block, without its indent."""
    text = page.read_text()
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    indented = re.findall(r"(?:^(?: {4,}|\t).*\n(?:\n(?= {4}))?)+", text, re.M)
    return [_dedented(block) for block in (*fenced, *indented)]


def _dedented(block: str) -> str:
    lines = block.splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[indent:] for line in lines)


def commands() -> list[tuple[str, str]]:
    """Each line that begins with the program's name: only its part before a pipe, an `&&` or two blanks of prose."""
    found = []
    for page in PAGES:
        for block in blocks(page):
            for line in block.splitlines():
                if line.removeprefix("$ ").startswith("recorderd "):
                    words = re.split(r"\s{2,}|\s#\s|\s&&\s|\s\|\s", line.removeprefix("$ "))[0]
                    found.append((page.name, words))
    examples = (
        MANUAL.read_text().partition(".SH EXAMPLES\n.nf\n")[2].partition("\n.fi")[0].replace("\\-", "-")
    )
    for line in examples.splitlines():
        found += [(MANUAL.name, part.strip()) for part in line.split("&&")]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_each_command_is_one_that_the_program_takes(page: str, line: str) -> None:
    assert shlex.split(line)[0] == "recorderd", page
    args = parser().parse_args(shlex.split(line)[1:])
    for time in filter(None, (getattr(args, name, None) for name in ("since", "until", "at"))):
        moments.since(time, NOW, UTC)


def snippets(heads: Collection[str]) -> list[tuple[str, str]]:
    """Blocks whose first line is one of these keys."""
    return [
        (page.name, block)
        for page in PAGES
        for block in blocks(page)
        if (head := re.match(r"(\w+):(\s|$)", block)) and head[1] in heads
    ]


@pytest.mark.parametrize(("page", "text"), snippets(SECTIONS))
def test_each_snippet_of_the_configuration_loads(page: str, text: str) -> None:
    login = "" if text.startswith("asterisk:") else "asterisk: {username: u, secret: s}\n"
    parse(login + text + "\n", Path(page), {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a configuration and an empty database."""
    (tmp_path / "recorderd.yaml").write_text(
        f"asterisk: {{username: u, secret: s}}\nstate: {tmp_path}\n"
        f"store: {{url: 'sqlite:///{tmp_path}/recorderd.db'}}\npolicy: {{lists: {{works-council: ['150']}}}}\n"
    )
    (tmp_path / "recorderd.yaml").chmod(0o600)
    assert main(["--config", str(tmp_path / "recorderd.yaml"), "db", "migrate"]) == 0
    return tmp_path


@pytest.mark.parametrize(("page", "text"), snippets({"extensions", "rules"}))
def test_each_policy_can_be_imported(page: str, text: str, folder: Path) -> None:
    del page
    (folder / "policy.yaml").write_text(text + "\n")
    argv = ["--config", str(folder / "recorderd.yaml"), "policy", "import", str(folder / "policy.yaml")]
    assert main(argv) == 0


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        ("--from 101 --to 0612345678", "always"),
        ("--from 101 --to 103", "never"),
        ("--from 0612345678 --to 103 --did 5550101 --at '2026-11-23 10:00'", "always"),
        ("--from 0612345678 --to 103 --did 5550101 --at '2026-11-22 10:00'", "never"),
        ("--from 102 --to 0612345678", "on-demand"),
        ("--from 0612345678 --to 102", "always"),
    ],
)
def test_the_policy_of_the_first_page_decides_as_it_says(
    asked: str, mode: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [text] = [text for page, text in snippets({"extensions"}) if page == "README.md"]
    (folder / "policy.yaml").write_text(text + "\n")
    config = ["--config", str(folder / "recorderd.yaml")]
    assert main([*config, "policy", "import", str(folder / "policy.yaml")]) == 0
    capsys.readouterr()
    assert main([*config, "explain", "--json", *shlex.split(asked)]) == 0
    assert json.loads(capsys.readouterr().out)["mode"] == mode


def explained(page: Path) -> list[tuple[str, str, str]]:
    """Each question that a page asks of the policy shown last before it: (policy, command, what it says)."""
    found, policy = [], ""
    for block in blocks(page):
        for part in re.split(r"\n\n(?=\S)", block.strip("\n")):
            if re.match(r"(extensions|rules):\s*$", part, re.M):
                policy = part
            elif part.startswith("$ recorderd explain "):
                command, _, answer = part.removeprefix("$ ").partition("\n")
                found.append((policy, command, answer))
    return found


def test_every_policy_of_the_cookbook_is_asked_something() -> None:
    asked = explained(COOKBOOK)
    shown = [text for page, text in snippets({"extensions", "rules"}) if page == COOKBOOK.name]
    assert len({policy for policy, _, _ in asked}) == len(shown) >= 5


@pytest.mark.parametrize(("policy", "command", "answer"), explained(COOKBOOK))
def test_each_question_of_the_cookbook_is_answered_as_it_says(
    policy: str, command: str, answer: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policy.yaml").write_text(policy + "\n")
    config = ["--config", str(folder / "recorderd.yaml")]
    assert main([*config, "policy", "import", str(folder / "policy.yaml")]) == 0
    capsys.readouterr()
    assert main([*config, *shlex.split(command)[1:]]) == 0
    told = capsys.readouterr().out.splitlines()
    # But for the lines that tell of the moment, and of this database.
    wanted = [line for line in told if line and not re.search(r" calls .* at |^policy \d+ of ", line)]
    assert wanted == answer.splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]
    assert [t for t in targets if t and not (page.parent / t).exists()] == []
