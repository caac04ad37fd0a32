"""What every store promises the archive, asked of each of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from recorderd.core import rows
from recorderd.core.keeping import STEPS, KeepState
from recorderd.store import open_store
from recorderd.store.abc import Store
from recorderd.store.keeping import DaySum
from tests.store import sample, sample_keeping
from tests.store.sample import T
from tests.store.sample_keeping import copy, erasure, hold, kept, tag

S = KeepState
DAY = 86_400.0


async def test_a_first_step_is_taken_once(store: Store) -> None:
    taken = kept(state=S.TAKEN)
    assert await store.keeping.advance(taken, None)
    assert not await store.keeping.advance(kept(state=S.TAKEN, error="second"), None)
    assert await store.keeping.kept(["r1", "r2"]) == {"r1": taken}


async def test_a_step_is_taken_only_from_where_it_was_expected(store: Store) -> None:
    await store.keeping.advance(kept(state=S.TAKEN), None)
    assert not await store.keeping.advance(kept(state=S.LINKED), S.ENCODED)
    assert await store.keeping.advance(kept(state=S.DELETING), S.TAKEN)
    assert not await store.keeping.advance(kept(state=S.ENCODED), S.TAKEN)
    assert (await store.keeping.kept(["r1"]))["r1"].state is S.DELETING


async def test_of_many_who_step_at_once_one_does(store: Store) -> None:
    await store.keeping.advance(kept(state=S.TAKEN), None)
    steps = [store.keeping.advance(kept(state=S.ENCODED, error=str(n)), S.TAKEN) for n in range(8)]
    assert sorted(await asyncio.gather(*steps)) == [False] * 7 + [True]


def test_every_state_has_its_steps_and_a_deleted_one_none() -> None:
    assert set(STEPS) == {None, *KeepState}
    assert STEPS[S.DELETED] == ()
    assert all(S.DELETING in after for state, after in STEPS.items() if state not in (S.DELETING, S.DELETED))


async def test_new_recordings_are_finished_ones_without_a_row_oldest_first(store: Store) -> None:
    await store.save(
        [
            sample.recording("young", started_at=T, ended_at=T + 500),
            sample.recording("b", started_at=T + 1),
            sample.recording("a", started_at=T),
            sample.recording("failed", started_at=T + 2, state=rows.RecordingState.FAILED),
            sample.recording("open", ended_at=None, state=rows.RecordingState.RECORDING),
            sample.recording("known"),
            sample.recording("old", started_at=T - 2 * DAY),
            kept("known", state=S.WAITING),
        ]
    )
    found = await store.keeping.new_recordings(T - DAY, T + 400)
    assert [row.id for row in found] == ["a", "b", "failed"]
    assert [row.id for row in await store.keeping.new_recordings(T - DAY, T + 400, limit=1)] == ["a"]


async def test_unfinished_are_those_whose_time_has_come(store: Store) -> None:
    states = {"w": S.WAITING, "t": S.TAKEN, "e": S.ENCODED, "l": S.LINKED, "x": S.DELETING}
    await store.save([kept(id, state=state) for id, state in states.items()])
    await store.save([kept("k"), kept("d", state=S.DELETED), kept("later", state=S.WAITING, not_before=T)])
    assert {row.recording_id for row in await store.keeping.unfinished(T - 1)} == set(states)
    assert "later" in {row.recording_id for row in await store.keeping.unfinished(T)}


async def test_a_node_asks_for_what_is_its_own(store: Store) -> None:
    for node in ("pbx1", "pbx2"):
        await store.save(
            [
                sample.recording(f"new-{node}", node=node, started_at=T, ended_at=T + 5),
                kept(f"waits-{node}", state=S.WAITING, node=node),
                kept(f"linked-{node}", state=S.LINKED, node=node),
                kept(f"kept-{node}", node=node),
            ]
        )
    keeping = store.keeping
    found = await keeping.new_recordings(T - DAY, T + 400, node="pbx2")
    assert [row.id for row in found] == ["new-pbx2"]
    waiting = await keeping.unfinished(None, node="pbx2")
    assert {row.recording_id for row in waiting} == {"waits-pbx2", "linked-pbx2"}
    waiting = await keeping.unfinished(None, node="pbx2", but=S.LINKED)
    assert [row.recording_id for row in waiting] == ["waits-pbx2"]
    assert [row.recording_id for row in await keeping.walk([S.KEPT], node="pbx1")] == ["kept-pbx1"]
    [day] = [each for each in await keeping.days(0, node="pbx1") if each.format]
    assert day.recordings == 2
    assert len(await keeping.unfinished(None)) == 4


async def test_a_node_finds_its_copies_of_what_is_gone(store: Store) -> None:
    await store.save(
        [
            kept("r1", state=S.DELETED),
            kept("r2", state=S.DELETING),
            kept("r3"),
            *(copy(f"r{n}", path=f"/e{n}", node="pbx1") for n in (1, 2, 3, 4)),
            copy("r1", path="/other", node="pbx2"),
        ]
    )
    assert [each.path for each in await store.keeping.copies_left("pbx1")] == ["/e1", "/e2"]
    assert [each.path for each in await store.keeping.copies_left("pbx2")] == ["/other"]


async def test_what_is_in_the_bucket_and_here_too_goes_by_when_it_was_played_last(store: Store) -> None:
    common = {"node": "pbx1", "size": 100}
    await store.save(
        [
            kept("a", object="pbx1/a", archived_at=T, **common),
            kept("b", object="pbx1/b", archived_at=T + 1, **common),
            kept("c", object="pbx1/c", archived_at=T + 2, **common),
            kept("far", object="pbx1/far", local=False, **common),
            kept("apart", started_at=T + 9, **common),
            kept("older", **common),
            kept("silent", name="", **common),
            kept("doomed", object="pbx1/doomed", state=S.DELETING, **common),
            kept("other", object="pbx2/a", node="pbx2", size=100),
            sample.audit("1", at=T + 50, action="play", object="a"),
            sample.audit("2", at=T + 10, action="download", object="c"),
            sample.audit("3", at=T + 5, action="play", object="c"),
            sample.audit("4", at=T + 90, action="delete", object="b"),
        ]
    )
    assert await store.keeping.cached("pbx1") == 300
    assert await store.keeping.cached("pbx3") == 0
    found = await store.keeping.least_played("pbx1")
    assert [row.recording_id for row in found] == ["b", "c", "a"]
    assert [row.recording_id for row in await store.keeping.least_played("pbx1", limit=1)] == ["b"]
    assert [row.recording_id for row in await store.keeping.without_object("pbx1")] == ["older", "apart"]


async def test_a_walk_sees_every_row_once_oldest_first(store: Store) -> None:
    await store.save([kept(f"r{n}", started_at=T + n // 3) for n in range(10)])
    await store.save([kept("gone", state=S.DELETED)])
    seen, after = [], None
    while page := await store.keeping.walk([S.KEPT], until=T + 3, after=after, limit=4):
        seen += [row.recording_id for row in page]
        after = (page[-1].started_at, page[-1].recording_id)
    assert seen == [f"r{n}" for n in range(9)]


async def test_the_walk_of_intervals_sees_those_with_a_recording(store: Store) -> None:
    await store.save([sample.interval(f"i{n}", started_at=T + n // 2) for n in range(5)])
    await store.save([sample.interval("none", recording_id=None)])
    first = await store.keeping.walk_intervals(limit=3)
    last = first[-1]
    rest = await store.keeping.walk_intervals((last.started_at, last.id))
    assert [row.id for row in (*first, *rest)] == [f"i{n}" for n in range(5)]


async def test_what_belongs_to_recordings_comes_by_recording(store: Store) -> None:
    await store.save(
        [sample.recording("r1"), sample.recording("r2"), sample.interval("i2", started_at=T + 1)]
    )
    await store.save([sample.interval("i1"), sample.interval("other", recording_id="r9")])
    await store.save([tag(), tag(tag="audit"), tag(tag="off", removed_at=T), tag("r2"), copy()])
    assert set(await store.keeping.recordings_of(["r1", "r3"])) == {"r1"}
    intervals = await store.keeping.intervals_of(["r1", "r2"])
    assert {key: [i.id for i in found] for key, found in intervals.items()} == {"r1": ["i1", "i2"]}
    tags = await store.keeping.tags_of(["r1", "r2"])
    assert {key: [t.tag for t in found] for key, found in tags.items()} == {
        "r1": ["audit", "complaint"],
        "r2": ["complaint"],
    }
    assert await store.keeping.copies("r1") == [copy()]
    await store.keeping.forget_copy(copy())
    assert await store.keeping.copies("r1") == []


async def test_holds_are_those_in_force_and_erasures_all(store: Store) -> None:
    over = hold("h0", released_at=T + 1, released_by="cli:x", release_reason="settled")
    await store.save([hold(), over, erasure("e2", at=T + 1), erasure()])
    assert await store.keeping.holds() == [hold()]
    assert await store.keeping.holds(released=True) == [over, hold()]
    assert await store.keeping.erasures() == [erasure(), erasure("e2", at=T + 1)]


async def test_days_are_summed_by_format_in_the_zone_asked_for(store: Store) -> None:
    midnight = 20_000 * DAY
    at = {"before": midnight - 1, "after": midnight + 1, "wav": midnight + 2, "gone": midnight + 3}
    await store.save([sample.recording(id, started_at=when) for id, when in at.items()])
    await store.save([kept(id, started_at=at[id]) for id in ("before", "after")])
    await store.save([kept("gone", started_at=at["gone"], state=S.DELETED)])
    wav = DaySum(day=20_000, format="", recordings=1, duration_ms=60_000, size=960_044)
    one = DaySum(day=19_999, format="opus", recordings=1, duration_ms=60_000, size=150_000)
    two = DaySum(day=20_000, format="opus", recordings=2, duration_ms=120_000, size=300_000)
    assert await store.keeping.days(0) == [one, wav, DaySum(
        day=20_000, format="opus", recordings=1, duration_ms=60_000, size=150_000
    )]  # fmt: skip
    assert await store.keeping.days(3600) == [wav, two]


@pytest.mark.parametrize("back", ["sqlite", "memory"])
async def test_a_backup_has_the_archives_rows(store: Store, back: str, tmp_path: Path) -> None:
    await store.save(sample_keeping.one_of_each())
    path = str(tmp_path / "backup.gz")
    await store.backup(path)
    other = open_store("memory:" if back == "memory" else f"sqlite:///{tmp_path}/other.db")
    await other.migrate()
    await other.restore(path)
    assert await other.keeping.kept(["r1"]) == {"r1": kept()}
    assert await other.keeping.holds() == [hold()]
    assert await other.keeping.erasures() == [erasure()]
    assert (await other.keeping.tags_of(["r1"]))["r1"] == [tag()]
    assert await other.keeping.copies("r1") == [copy()]
    await other.close()
