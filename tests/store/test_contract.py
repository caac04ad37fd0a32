"""What every store promises, asked of each of them."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorderd.core import rows
from recorderd.core.policy import Mode
from recorderd.errors import StoreError
from recorderd.store import codec, open_store, stories
from recorderd.store.abc import PolicyRows, RowRefused, RuleRow, Store
from tests.store import sample
from tests.store.sample import T

RULES = (
    RuleRow(
        name="council",
        body={"when": {"number": ["+4930", "0101"]}, "mode": "never", "a": [1, None, True, 1.5]},
    ),
    RuleRow(name="did", body={"mode": "always", "when": {}}, enabled=False),
)


async def everything(store: Store) -> list[Any]:
    """All rows that the store gives, by asking as callers ask."""
    return [
        *await store.conversations(),
        *await store.intervals(),
        *await store.recordings(),
        *await store.lanes("r1"),
        *await store.cdrs(),
        *await store.links(),
        *await store.marks("c1"),
        *await store.alarms(),
        *await store.panel.audit_page({}),
    ]


# --- rows ---------------------------------------------------------------------------------------


async def test_every_row_comes_back_as_it_was_saved(store: Store) -> None:
    await store.save(sample.one_of_each())
    assert await everything(store) == list(sample.one_of_each())


async def test_saving_twice_is_the_same_as_saving_once(store: Store) -> None:
    await store.save([*sample.one_of_each(), *sample.one_of_each()])
    await store.save(sample.one_of_each())
    assert await everything(store) == list(sample.one_of_each())


async def test_an_empty_batch_is_saved_as_nothing(store: Store) -> None:
    await store.save([])
    assert await everything(store) == []


async def test_of_two_rows_with_one_key_the_later_stays(store: Store) -> None:
    first = sample.interval(ended_at=None, outcome=None, recording_id=None, offset_ms=None)
    await store.save([first, sample.interval(note="second")])
    assert await store.intervals() == [sample.interval(note="second")]
    await store.save([first])
    assert await store.intervals() == [first]


async def test_a_row_replaced_is_no_longer_found_by_its_old_party_or_linkedid(store: Store) -> None:
    await store.save([sample.interval(), sample.conversation(linkedids=("a", "b", "a"))])
    replaced = sample.interval(parties=(sample.party("150", "9.9"),))
    await store.save([replaced, sample.conversation(linkedids=("c",))])
    assert await store.intervals(extension="101") == []
    assert await store.intervals(uniqueid="9.9", extension="150") == [replaced]
    assert await store.conversations(linkedid="a") == []
    assert [row.id for row in await store.conversations(linkedid="c")] == ["c1"]


@pytest.mark.parametrize("at", [0.0, -1.5, 1.000001, 1_795_500_000.999999, 4_102_444_800.123457])
async def test_a_time_survives_to_the_microsecond(store: Store, at: float) -> None:
    await store.save([sample.mark(at=at)])
    assert (await store.marks("c1"))[0].at == at


async def test_text_that_no_database_takes_is_made_fit_and_is_still_found(store: Store) -> None:
    name = "И\x00ван \udcd0\ud800 '; DROP TABLE intervals; --\r\n🎧"
    row = sample.interval(parties=(sample.party("101", "1.1\x00", name=name),), note=name)
    await store.save([row])
    [found] = await store.intervals(uniqueid="1.1\ufffd")
    assert found.note == found.parties[0].name == "И\ufffdван \ufffd\ufffd '; DROP TABLE intervals; --\r\n🎧"


async def test_one_refused_row_keeps_the_whole_batch_out(store: Store) -> None:
    with pytest.raises(RowRefused):
        await store.save([sample.mark("m1"), sample.mark("m2", at=float("nan"))])
    assert await store.marks("c1") == []


async def test_audit_rows_are_never_changed(store: Store) -> None:
    await store.audit_append(sample.audit(who="first"))
    await store.audit_append(sample.audit(who="second"))
    await store.save([sample.audit("u2", who="third"), sample.audit("u2", who="fourth")])
    assert [row.who for row in await store.panel.audit_page({})] == ["third", "first"]


# --- questions ----------------------------------------------------------------------------------


async def test_since_is_included_and_until_is_not(store: Store) -> None:
    await store.save([sample.interval(f"i{n}", started_at=T + n) for n in range(4)])
    assert [row.id for row in await store.intervals(T + 1, T + 3)] == ["i1", "i2"]
    await store.save([sample.recording(f"r{n}", started_at=T + n) for n in range(4)])
    assert [row.id for row in await store.recordings(since=T + 2)] == ["r2", "r3"]
    await store.save([sample.cdr(sequence=n, start=T + n) for n in range(4)])
    assert [row.sequence for row in await store.cdrs(until=T + 1)] == [0]
    await store.save([sample.conversation(f"c{n}", started_at=T + n) for n in range(4)])
    assert [row.id for row in await store.conversations(T + 1, T + 2)] == ["c1"]


async def test_answers_stand_in_the_order_of_time_then_of_key(store: Store) -> None:
    saved = [("B", T), ("a", T), ("z", T - 1), ("É", T), ("0", T + 1)]
    await store.save([sample.interval(id, started_at=at) for id, at in saved])
    assert [row.id for row in await store.intervals()] == ["z", "B", "a", "É", "0"]


async def test_intervals_are_found_by_each_criterion_and_by_all_at_once(store: Store) -> None:
    wanted = sample.interval("i1", cdr_uniqueid="7.7")
    others = [
        sample.interval("i2", conversation_id="c2"),
        sample.interval("i3", recording_id="r2"),
        sample.interval("i4", parties=(sample.party("109", "5.5"),)),
    ]
    await store.save([wanted, *others])
    criteria = {
        "conversation_id": "c1",
        "recording_id": "r1",
        "uniqueid": "1795500000.2",
        "extension": "102",
        "cdr_uniqueid": "7.7",
    }
    assert await store.intervals(T, T + 1, **criteria) == [wanted]
    counts = {name: len(await store.intervals(**{name: value})) for name, value in criteria.items()}
    assert counts == {
        "conversation_id": 3,
        "recording_id": 3,
        "uniqueid": 3,
        "extension": 3,
        "cdr_uniqueid": 1,
    }
    assert await store.intervals(extension="") == []


async def test_recordings_are_found_by_state_conversation_and_id(store: Store) -> None:
    one, two = (
        sample.recording("r1"),
        sample.recording("r2", state=rows.RecordingState.ARMED, conversation_id="c2"),
    )
    await store.save([one, two])
    assert await store.recordings(state=rows.RecordingState.CLOSED) == [one]
    assert await store.recordings(conversation_id="c2") == [two]
    assert await store.recordings(id="r1") == [one]
    assert await store.recordings(id="r1", conversation_id="c2") == []


async def test_a_conversation_is_found_by_id_or_not_at_all(store: Store) -> None:
    await store.save([sample.conversation("c1", joined="c0")])
    assert await store.conversation("c1") == sample.conversation("c1", joined="c0")
    assert await store.conversation("c2") is None


async def test_open_rows_are_what_a_starting_daemon_must_take_up(store: Store) -> None:
    finished = sample.one_of_each()
    armed = rows.RecordingState.ARMED
    unfinished = [
        sample.conversation("c2", ended_at=None),
        sample.interval("i2", conversation_id="c2", ended_at=None, outcome=None, recording_id="r2"),
        sample.interval("i3", conversation_id="c2", recording_id="r2"),
        sample.recording("r2", conversation_id="c2", state=armed, lanes=("l2", "l5")),
        sample.lane("l2", recording_id="r2", state=rows.LaneState.RECORDING),
        sample.lane("l3", recording_id="r2", state=rows.LaneState.LOST),
        sample.conversation("c3"),
        sample.interval("i4", conversation_id="c3", outcome=None, recording_id=None),
        sample.lane("l4", recording_id="r1", state=rows.LaneState.STOPPING),
        sample.lane("l5"),
        sample.conversation("c4"),
        sample.recording("r4", conversation_id="c4", state=rows.RecordingState.CLOSING, lanes=()),
    ]
    await store.save([*finished, *unfinished])
    found = await store.open_rows()
    assert [row.id for row in found.conversations] == ["c2", "c3", "c4"]
    assert [row.id for row in found.intervals] == ["i2", "i3", "i4"]
    assert [row.id for row in found.recordings] == ["r2", "r4"]
    assert [row.id for row in found.lanes] == ["l2", "l3", "l4", "l5"]


async def test_a_daemon_takes_up_what_is_its_nodes(store: Store) -> None:
    armed = rows.RecordingState.ARMED
    for node in ("pbx1", "pbx2"):
        await store.save(
            [
                sample.conversation(f"c-{node}", ended_at=None, node=node),
                sample.interval(f"i-{node}", conversation_id=f"c-{node}", ended_at=None, outcome=None),
                sample.recording(f"r-{node}", conversation_id=f"c-{node}", state=armed, lanes=(), node=node),
                sample.lane(f"l-{node}", recording_id=f"r-{node}", node=node),
            ]
        )
    found = await store.open_rows("pbx2")
    ids = [
        row.id
        for part in (found.conversations, found.intervals, found.recordings, found.lanes)
        for row in part
    ]
    assert ids == ["c-pbx2", "i-pbx2", "r-pbx2", "l-pbx2"]
    assert len((await store.open_rows()).recordings) == 2
    assert await store.give_node("pbx2", "pbx3") == 1
    assert (await store.open_rows("pbx2")).recordings == ()
    assert [row.id for row in (await store.open_rows("pbx3")).lanes] == ["l-pbx2"]


async def test_answered_cdrs_without_a_link_are_told_apart(store: Store) -> None:
    await store.save([sample.cdr(sequence=1), sample.cdr(sequence=2), sample.link(sequence=1)])
    await store.save([sample.cdr(sequence=3, disposition="NO ANSWER", answer=None)])
    assert [row.sequence for row in await store.cdrs_without_link()] == [2]
    assert await store.cdrs_without_link(since=T + 100) == []


async def test_of_several_values_any_will_do_and_of_none_nothing_does(store: Store) -> None:
    talks = [sample.conversation(f"c{n}", linkedids=(f"l{n}", "l")) for n in (1, 2, 3)]
    spoken = [sample.interval(f"i{n}", conversation_id=f"c{n}", cdr_uniqueid=f"u{n}") for n in (1, 2, 3)]
    made = [sample.recording(f"r{n}", conversation_id=f"c{n}") for n in (1, 2, 3)]
    written = [sample.cdr(f"u{n}", linkedid=f"l{n}") for n in (1, 2, 3)]
    await store.save([*talks, *spoken, *made, *written])
    assert await store.conversations(linkedid=("l1", "l3", "x")) == [talks[0], talks[2]]
    assert await store.conversations(linkedid=("l", "l1")) == talks, "each once"
    assert await store.intervals(conversation_id=("c1", "c3")) == [spoken[0], spoken[2]]
    assert await store.intervals(cdr_uniqueid=("u2",)) == [spoken[1]]
    assert await store.recordings(conversation_id=("c3", "c2")) == made[1:]
    assert await store.cdrs(linkedid=("l1", "l2")) == written[:2]
    assert await store.conversations(linkedid=()) == []
    assert await store.conversations(id=(talks[2].id, talks[0].id, "x")) == [talks[0], talks[2]]
    assert await store.intervals(conversation_id=()) == []
    assert await store.cdrs(linkedid=()) == []


async def test_stories_are_loaded_together_as_they_are_one_by_one(store: Store) -> None:
    """Of the second an attended transfer made part of the first; the third is by itself."""
    await store.save(
        [
            sample.conversation("c1", linkedids=("1.1", "1.2")),
            sample.conversation("c2", linkedids=("2.1",), joined="c1"),
            sample.conversation("c3", linkedids=("3.1",)),
            *(sample.interval(f"i{n}", conversation_id=f"c{n}", recording_id=f"r{n}") for n in (1, 2, 3)),
            *(sample.recording(f"r{n}", conversation_id=f"c{n}") for n in (1, 2, 3)),
            *(sample.cdr(f"{n}.1", linkedid=f"{n}.1") for n in (1, 2, 3, 4)),
            sample.interval("i4", conversation_id="", recording_id=None, cdr_uniqueid="4.1"),
        ]
    )
    one_by_one = [await stories.load(store, linkedid) for linkedid in ("2.1", "3.1", "4.1", "nobody's")]
    together = await stories.load_all(store, ["4.1", "3.1", "2.1", "nobody's", "1.2"])
    assert {story.id: story for story in together} == {story.id: story for story in one_by_one if story.id}
    assert [len(story.conversations) for story in one_by_one] == [2, 1, 0, 0]
    assert [[i.id for i in story.intervals] for story in one_by_one] == [["i1", "i2"], ["i3"], ["i4"], []]


async def test_cdrs_and_links_are_found_by_uniqueid_linkedid_and_recording(store: Store) -> None:
    one, two = sample.cdr("1.1", linkedid="1.1"), sample.cdr("2.2", linkedid="1.1")
    await store.save(
        [one, two, sample.link("1.1", 1, "r1"), sample.link("1.1", 1, "r2"), sample.link("2.2", 1, "r2")]
    )
    assert await store.cdrs(linkedid="1.1") == [one, two]
    assert await store.cdrs(uniqueid="2.2") == [two]
    assert await store.cdrs(uniqueid=("1.1", "2.2", "3.3")) == [one, two]
    assert await store.links(uniqueid="1.1") == [sample.link("1.1", 1, "r1"), sample.link("1.1", 1, "r2")]
    assert await store.links(recording_id="r2", uniqueid="2.2") == [sample.link("2.2", 1, "r2")]
    assert await store.links(recording_id=("r1", "r2"), uniqueid=("1.1",)) == await store.links(
        uniqueid="1.1"
    )
    assert await store.links(uniqueid=()) == []


async def test_a_lane_belongs_to_every_recording_that_it_serves(store: Store) -> None:
    await store.save(
        [sample.recording("r1", lanes=("l1", "l9")), sample.recording("r2", lanes=("l1", "l2", "l1"))]
    )
    await store.save(
        [sample.lane("l1"), sample.lane("l2", recording_id="r2"), sample.lane("l3", recording_id="")]
    )
    assert [lane.id for lane in await store.lanes("r1")] == ["l1"]
    assert [lane.id for lane in await store.lanes("r2")] == ["l1", "l2"]
    await store.save([sample.recording("r2", lanes=())])
    assert [lane.id for lane in await store.lanes("r2")] == ["l2"]


async def test_alarms_are_active_until_cleared(store: Store) -> None:
    await store.save([sample.alarm("a1"), sample.alarm("a2")])
    await store.save([sample.alarm("a1", cleared_at=T + 9)])
    assert [row.id for row in await store.alarms(active=True)] == ["a2"]
    assert (await store.alarms())[0].cleared_at == T + 9


# --- policy -------------------------------------------------------------------------------------


async def test_policy_is_empty_at_first(store: Store) -> None:
    assert await store.load_policy() == PolicyRows(version=0)


async def test_policy_comes_back_as_it_was_set_and_every_change_counts_one(store: Store) -> None:
    one, two = sample.extension("102"), sample.extension("101", fail_mode=None, locked=False)
    assert await store.set_extension(one, "admin", "Анна") == 1
    assert await store.set_extension(two, "admin") == 2
    assert await store.replace_rules(RULES, "admin") == 3
    expected = PolicyRows(version=3, extensions=(two, one), names={"101": "", "102": "Анна"}, rules=RULES)
    loaded = await store.load_policy()
    assert loaded == expected
    assert list(loaded.rules[0].body) == ["when", "mode", "a"], "the order of a rule's keys is kept"


async def test_setting_an_extension_again_replaces_it_and_keeps_its_name(store: Store) -> None:
    await store.set_extension(sample.extension("101"), "admin", "Anna")
    await store.set_extension(sample.extension("101", inbound=Mode.NEVER), "101")
    policy = await store.load_policy()
    assert [(p.extension, p.inbound) for p in policy.extensions] == [("101", Mode.NEVER)]
    assert policy.names == {"101": "Anna"}


async def test_deleting_an_extension_that_has_no_policy_is_an_error_and_counts_nothing(store: Store) -> None:
    await store.set_extension(sample.extension("101"), "admin")
    with pytest.raises(StoreError, match="no policy for extension 999"):
        await store.delete_extension("999", "admin")
    assert await store.delete_extension("101", "admin") == 2
    assert await store.load_policy() == PolicyRows(version=2)
    assert [row.version for row in await store.policy_log()] == [1, 2]


async def test_an_import_replaces_everything_in_one_step(store: Store) -> None:
    await store.set_extension(sample.extension("150"), "admin", "gone")
    new = (sample.extension("101"), sample.extension("102"))
    assert await store.import_policy(new, RULES, "admin", {"102": "Anna", "150": "nobody"}) == 2
    assert await store.load_policy() == PolicyRows(
        version=2, extensions=new, names={"101": "", "102": "Anna"}, rules=RULES
    )


async def test_an_import_that_is_refused_changes_nothing(store: Store) -> None:
    await store.set_extension(sample.extension("150"), "admin")
    before = await store.load_policy()
    with pytest.raises(RowRefused):
        await store.import_policy([sample.extension("101"), sample.extension("101")], [], "admin")
    assert await store.load_policy() == before
    assert len(await store.policy_log()) == 1


async def test_the_log_says_who_changed_what_and_when(store: Store) -> None:
    await store.set_extension(sample.extension("101"), "admin", "Anna")
    await store.set_extension(sample.extension("101", inbound=Mode.NEVER), "Пётр")
    await store.replace_rules(RULES, "admin")
    one, two, three = await store.policy_log()
    assert (one.version, one.at, one.who, one.what) == (1, 1_000_000.0, "admin", "set extension 101")
    assert (two.who, three.what) == ("Пётр", "replaced the rules")
    assert "always" in str(two.detail["before"])
    assert "never" in str(two.detail["after"])


async def test_changes_made_at_once_are_counted_one_by_one(store: Store) -> None:
    versions = await asyncio.gather(
        *(store.set_extension(sample.extension(str(n)), "x") for n in range(100, 112))
    )
    assert sorted(versions) == list(range(1, 13))
    assert len((await store.load_policy()).extensions) == 12


async def test_policy_changes_tell_the_version_in_force_and_then_each_newer_one(store: Store) -> None:
    changes = store.policy_changes()
    async with asyncio.timeout(20):
        assert await anext(changes) == 0
        await store.set_extension(sample.extension("101"), "admin")
        assert await anext(changes) == 1
        await store.replace_rules(RULES, "admin")
        assert await anext(changes) == 2
        await store.save(sample.one_of_each())
        await store.delete_extension("101", "admin")
        assert await anext(changes) == 3
    await changes.aclose()


# --- moving house -------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["memory", "sqlite", "postgresql"])
async def test_a_backup_is_restored_on_any_back_end(
    store: Store, target: str, migrated_url: Callable[[str], str], tmp_path: Path
) -> None:
    await store.save(sample.one_of_each())
    await store.save([sample.mark(f"m{n:04}") for n in range(1200)])
    await store.import_policy([sample.extension("101")], RULES, "admin", {"101": "Anna"})
    path = str(tmp_path / "backup.gz")
    assert await store.backup(path) == 1210
    other = open_store(migrated_url(target))
    assert await other.restore(path) == 1210
    assert await everything(other) == await everything(store)
    assert await other.load_policy() == await store.load_policy()
    assert await other.policy_log() == await store.policy_log()
    assert await other.set_extension(sample.extension("102"), "admin") == 2
    assert [row.id for row in await other.intervals(extension="102")] == ["i1"]
    await other.close()


async def test_a_restore_into_a_store_that_is_not_empty_changes_nothing(store: Store, tmp_path: Path) -> None:
    path = str(tmp_path / "backup.gz")
    await store.save(sample.one_of_each())
    await store.backup(path)
    await store.save([sample.mark("new")])
    before = await everything(store)
    with pytest.raises(StoreError, match="not empty"):
        await store.restore(path)
    assert await everything(store) == before


async def test_a_torn_backup_restores_nothing(store: Store, tmp_path: Path) -> None:
    header = b'{"recorderd":1}\n["PolicyRows",{}]\n'
    row = codec.to_line(sample.mark())
    for number, (content, why) in enumerate(
        [
            (b"hello\n", "no backup of recorderd"),
            (b'{"recorderd":2}\n', "no backup of recorderd"),
            (header.splitlines(keepends=True)[0], "no policy"),
            (header + row, "end is missing"),
            (header + row + b'["end",2]\n', "rows are missing"),
            (header + row[:-9] + b"\n", "line 3"),
            (header + b'["Nonsense",{}]\n', "line 3: not a row"),
        ]
    ):
        path = tmp_path / f"{number}.gz"
        path.write_bytes(gzip.compress(content))
        with pytest.raises(StoreError, match=why):
            await store.restore(str(path))
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(header + row + b'["end",1]\n')[:-12])
    with pytest.raises(StoreError, match="cannot be read"):
        await store.restore(str(cut))
    whole = bytearray(gzip.compress(header + row + b'["end",1]\n'))
    whole[-8] ^= 1
    cut.write_bytes(whole)
    with pytest.raises(StoreError, match=r"cannot be read: .*CRC"):
        await store.restore(str(cut))
    with pytest.raises(StoreError, match="No such file"):
        await store.restore(str(tmp_path / "none.gz"))
    assert await everything(store) == []


async def test_a_backup_never_overwrites_and_leaves_nothing_half_made(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "backup.gz"
    await store.backup(str(path))
    with pytest.raises(StoreError, match="is there already"):
        await store.backup(str(path))
    with pytest.raises(StoreError, match="cannot be written"):
        await store.backup(str(tmp_path / "no" / "folder.gz"))
    assert [name for name in os.listdir(tmp_path) if ".gz" in name] == ["backup.gz"]
    assert path.stat().st_mode & 0o777 == 0o600
