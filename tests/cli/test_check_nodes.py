"""check --online where there are several machines and a bucket; and naming what had no name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorderd.archive import signing
from recorderd.clerk import heads
from recorderd.core.keeping import KeepState, Kept
from recorderd.store.abc import Store
from tests import buckets
from tests.cli.conftest import Program
from tests.cli.test_check import ETC, online
from tests.store import sample, sample_chain


@pytest.fixture(scope="module")
def server() -> Iterator[buckets.Server]:
    with buckets.running() as running:
        yield running


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    for name, text in ETC.items():
        folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(name).write_text(text)
    folder.joinpath("asterisk.conf").write_text("[options]\nsystemname = pbx1\n")
    return folder


def configure(program: Program, url: str, endpoint: str, folder: Path) -> None:
    objects = (
        f"{{url: '{url}', endpoint: '{endpoint}', region: {buckets.REGION}, "
        f"credentials: {buckets.credentials(folder)}}}"
    )
    program.configure(f"node: pbx1\narchive: {{objects: {objects}}}\n")


def about(program: Program, etc: Path, words: str) -> list[tuple[str, str]]:
    _code, found = online(program, etc)
    return [(level, said) for level, some in found.items() for said in some if words in said]


def test_a_bucket_is_tried_and_left_as_it_was(
    program: Program, etc: Path, server: buckets.Server, tmp_path: Path
) -> None:
    configure(program, server.new_bucket("tried"), server.endpoint, tmp_path)
    assert program("db", "migrate").code == 0
    assert about(program, etc, "s3://tried") == [
        ("ok", "s3://tried takes, gives back and deletes, and overwrites nothing")
    ]
    assert server.objects("tried") == {}
    assert about(program, etc, "this is pbx1") == [("ok", "this is pbx1")]
    assert about(program, etc, "systemname") == []


def test_a_bucket_that_is_not_there_is_a_problem_in_a_sentence_without_secrets(
    program: Program, etc: Path, server: buckets.Server, tmp_path: Path
) -> None:
    configure(program, "s3://nowhere", server.endpoint, tmp_path)
    assert program("db", "migrate").code == 0
    assert about(program, etc, "s3://nowhere") == [
        ("PROBLEM", "The bucket s3://nowhere refuses: NoSuchBucket")
    ]
    told = program("check", "--online", "--asterisk-etc", str(etc))
    assert "no-secret-of-anybody" not in told.out + told.err


def test_an_asterisk_without_a_systemname_and_another_signing_key_are_problems(
    program: Program, etc: Path, server: buckets.Server, tmp_path: Path
) -> None:
    configure(program, server.new_bucket("keys"), server.endpoint, tmp_path)
    assert program("db", "migrate").code == 0
    (etc / "asterisk.conf").write_text("[options]\n")
    theirs = signing.load(tmp_path / "theirs.key")

    async def signed(store: Store) -> None:
        await store.chain.append([sample_chain.draft()], sample.T)
        (tmp_path / "other").mkdir()
        await heads.sign(store, tmp_path / "other", theirs, sample.T)
        await store.save(
            [
                sample.recording("r1"),
                Kept(recording_id="r1", state=KeepState.KEPT, started_at=sample.T, folder="f", name="n"),
            ]
        )

    program.fill(signed)
    signing.load(program.config.signing_key)
    assert [level for level, _ in about(program, etc, "has no systemname")] == ["PROBLEM"]
    assert [level for level, _ in about(program, etc, "nodes share one (evidence.key)")] == ["PROBLEM"]
    [(level, sentence)] = about(program, etc, "db give-node")
    assert (level, sentence.endswith("recorderd db give-node - pbx1")) == ("warning", True)
    given = program("db", "give-node", "-", "pbx1", "--json")
    assert (given.code, given.json) == (0, {"recordings": 1})
    assert about(program, etc, "db give-node") == []


@pytest.mark.parametrize("words", [("-", "not a name"), ("pbx1", ""), ("-", "-")])
def test_what_is_no_nodes_name_is_refused(program: Program, words: tuple[str, str]) -> None:
    assert program("db", "migrate").code == 0
    assert program("db", "give-node", "--", *words).code == 64


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("archive: {objects: {url: s3://b}}", "every machine has a name of its own"),
        ("node: pbx1\narchive: {objects: {url: ftp://b}}", "is not s3://bucket"),
        ("node: pbx1\narchive: {objects: {url: 's3://key:secret@b'}}", "secrets go into `credentials`"),
        ("node: pbx1\narchive: {objects: {url: 's3://'}}", "is not s3://bucket"),
        ("node: pbx1\narchive: {objects: {url: s3://b, cache: 12}}", "is not a size"),
        ("node: pbx1\narchive: {objects: {url: s3://b, credentials: here}}", "is not an absolute path"),
        ("node: pbx_1", "is not a name of at most 32"),
    ],
)
def test_a_bad_bucket_or_node_is_one_clear_error(program: Program, written: str, sentence: str) -> None:
    program.configure(written)
    said = program("check")
    assert said.code == 78
    assert sentence in said.err
