"""`pip install .`: what is not Python is in the wheel too, and the program works from it alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd import __version__

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("recorderd", "config", "dialplan", "systemd", "docs/man", "setup.cfg", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """From a copy, so that nothing is left lying about in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        into = folder / "source" / part
        into.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, into, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, into)
    build = "from setuptools.build_meta import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(folder)],
        cwd=folder / "source",
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield next(folder.glob("recorderd-*.whl"))
    shutil.rmtree(folder)


def configured(folder: Path) -> str:
    return (
        f"asterisk: {{username: u, secret: s, port: 1}}\nstate: {folder}\n"
        f"store: {{url: 'sqlite:///{folder}/recorderd.db'}}\n"
        f"spool: {{monitor: {folder}/monitor, lanes: {folder}/lanes}}\n"
    )


def test_everything_that_is_not_python_is_in_it(wheel: Path) -> None:
    names = {name.partition(".data/data/")[2] or name for name in zipfile.ZipFile(wheel).namelist()}
    package = [
        path.relative_to(ROOT)
        for path in (ROOT / "recorderd").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    missing = {str(path) for path in package} - names
    beside = {
        f"share/recorderd/{path.relative_to(ROOT)}"
        for folder in ("config", "dialplan", "systemd")
        for path in (ROOT / folder).iterdir()
    }
    assert (missing, beside - names) == (set(), set())
    assert {"share/man/man1/recorderd.1", "share/man/man5/recorderd.yaml.5"} <= names


def test_the_program_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    zipfile.ZipFile(wheel).extractall(alone)
    config = tmp_path / "recorderd.yaml"
    config.write_text(configured(tmp_path))
    config.chmod(0o600)
    env = os.environ | {"PYTHONPATH": str(alone), "RECORDERD_CONFIG": str(config)}

    def run(*argv: str) -> str:
        done = subprocess.run(
            [sys.executable, *argv], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert run("-c", "import recorderd; print(recorderd.__file__)").startswith(str(alone))
    assert run("-m", "recorderd", "--version") == f"recorderd {__version__}\n"
    run("-m", "recorderd", "db", "migrate")
    run("-m", "recorderd", "check")


EXTRAS = ("mariadb", "objects", "oidc")
# One thing for each extra, which `check --online` tries.
OPTIONAL = """
node: pbx1
cdr: {source: "mysql://nobody:x@127.0.0.1:1/nothing"}
archive: {objects: {url: "s3://nothing", endpoint: "http://127.0.0.1:1", region: nowhere}}
panel: {oidc: {issuer: "https://127.0.0.1:1/", client_id: c, secret: s, redirect_uri: "https://127.0.0.1/login/oidc/return"}}
"""


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("extras", ["", f"[{','.join(EXTRAS)}]"], ids=["without extras", "with all"])
def test_pip_installs_it_and_each_extra_that_is_missing_is_named(
    wheel: Path, tmp_path: Path, extras: str
) -> None:
    config = tmp_path / "recorderd.yaml"
    config.write_text(configured(tmp_path) + OPTIONAL)
    config.chmod(0o600)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    install = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", f"{wheel}{extras}"]
    subprocess.run(install, check=True)
    done = subprocess.run(
        [tmp_path / "venv/bin/recorderd", "--config", config, "check", "--online", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    said = [finding["sentence"] for finding in json.loads(done.stdout)["findings"]]
    named = [
        extra for extra in EXTRAS for sentence in said if f"pip install 'recorderd[{extra}]'" in sentence
    ]
    assert named == ([] if extras else list(EXTRAS)), said
    # They were tried, and nobody was there.
    assert done.returncode != 0
