"""What every store promises the panel, asked of each of them."""

from __future__ import annotations

from typing import Any

import pytest

from recorderd.core.entries import CallEntry, Result, Way
from recorderd.store import open_store
from recorderd.store.abc import Store
from recorderd.store.panel import Replaced, Tries, Wanted
from tests.store import sample
from tests.store.sample_panel import T, entry, session, token, user, webhook


async def fill(store: Store, *rows: CallEntry) -> None:
    await store.panel.replace_entries(
        [Replaced(stories=frozenset({r.story_id}), entries=(r,)) for r in rows], T
    )


def numbers(found: Any) -> list[int]:
    return [int(row.story_id.rpartition(".")[2]) for row in found.entries]


def place(number: int) -> tuple[float, str]:
    return T + number, f"1795500000.{number}"


# --- entries ------------------------------------------------------------------------------------


async def test_an_entry_comes_back_as_it_was_kept(store: Store) -> None:
    await fill(store, entry(1, ended_at=None, recordings=(), recorded=False))
    found = await store.panel.entries(["101"], Wanted())
    assert found.entries == (entry(1, ended_at=None, recordings=(), recorded=False),)


async def test_pages_walk_down_and_up_again_without_gap_or_repetition(store: Store) -> None:
    await fill(store, *(entry(n) for n in range(10)), entry(99, owner="102"))
    first = await store.panel.entries(["101"], Wanted(), limit=4)
    assert numbers(first) == [9, 8, 7, 6]
    second = await store.panel.entries(["101"], Wanted(), before=place(6), limit=4)
    assert numbers(second) == [5, 4, 3, 2]
    assert numbers(await store.panel.entries(["101"], Wanted(), before=place(2), limit=4)) == [1, 0]
    assert numbers(await store.panel.entries(["101"], Wanted(), after=place(5), limit=3)) == [6, 7, 8]


async def test_two_calls_of_one_second_are_both_reached(store: Store) -> None:
    await fill(store, *(entry(n, started_at=T) for n in range(3)))
    seen = numbers(await store.panel.entries(["101"], Wanted(), before=(T, "1795500000.2"), limit=5))
    assert seen == [1, 0]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(words=(("107",),)), [4, 3]),
        (Wanted(words=(("107",), ("анна",))), [4]),
        (Wanted(words=(("107", "555"),)), [5, 4, 3]),
        (Wanted(words=(("107",),), min_s=61), [3]),
        (Wanted(min_s=61), [3]),
        (Wanted(max_s=5), [2]),
        (Wanted(way="in"), [5]),
        (Wanted(result="missed"), [2]),
        (Wanted(recorded=False), [2]),
        (Wanted(since=T + 3, until=T + 5), [4, 3]),
        (Wanted(words=(("100%",),)), [1]),
        (Wanted(words=(("'; drop table users; --",),)), []),
    ],
)
async def test_a_filter_leaves_what_holds(store: Store, wanted: Wanted, expected: list[int]) -> None:
    await fill(
        store,
        entry(1, search="101 100% sure"),
        entry(2, talk_s=0, result=Result.MISSED, recorded=False, recordings=()),
        entry(3, search="101 107", talk_s=61),
        entry(4, search="101 107 анна", talk_s=60),
        entry(5, search="101 0555", way=Way.IN),
    )
    assert numbers(await store.panel.entries(["101"], wanted)) == expected


async def test_a_rare_filter_stops_after_its_budget_and_says_where(store: Store) -> None:
    await fill(store, *(entry(n, talk_s=1000 if n == 0 else 1) for n in range(10)))
    first = await store.panel.entries(["101"], Wanted(min_s=999), budget=6)
    assert (numbers(first), first.stopped) == ([], place(4))
    rest = await store.panel.entries(["101"], Wanted(min_s=999), before=first.stopped, budget=6)
    assert (numbers(rest), rest.stopped) == ([0], None)


async def test_several_lists_are_one_without_doubles(store: Store) -> None:
    both = Replaced(stories=frozenset({entry(5).story_id}), entries=(entry(5), entry(5, owner="102")))
    await fill(store, entry(1), entry(2, owner="102"), entry(3, owner="103"))
    await store.panel.replace_entries([both], T)
    assert numbers(await store.panel.entries(["101", "102"], Wanted())) == [5, 2, 1]
    assert numbers(await store.panel.entries(["101", "102"], Wanted(), limit=2)) == [5, 2]
    assert numbers(await store.panel.entries([], Wanted())) == []


async def test_of_several_lists_nothing_is_shown_beyond_where_one_search_stopped(store: Store) -> None:
    await fill(
        store, *(entry(n, talk_s=1) for n in range(10, 20)), entry(1, owner="102"), entry(15, owner="102")
    )
    found = await store.panel.entries(["101", "102"], Wanted(min_s=5), budget=5)
    assert (numbers(found), found.stopped) == ([], place(15)) or numbers(found) == [15]
    assert found.stopped == place(15)


async def test_a_story_replaced_leaves_nothing_of_its_old_ids(store: Store) -> None:
    await fill(store, entry(1), entry(2))
    merged = Replaced(
        stories=frozenset({entry(1).story_id, entry(2).story_id}), entries=(entry(1, talk_s=99),)
    )
    await store.panel.replace_entries([merged], T)
    found = await store.panel.entries(["101"], Wanted())
    assert [(e.story_id, e.talk_s) for e in found.entries] == [(entry(1).story_id, 99)]
    assert await store.panel.entry(entry(2).story_id, ["101"]) is None


async def test_an_entry_is_given_from_the_first_list_that_has_it(store: Store) -> None:
    story = Replaced(
        stories=frozenset({entry(1).story_id}),
        entries=(entry(1, owner=""), entry(1), entry(1, owner="102")),
    )
    await store.panel.replace_entries([story], T)
    found = await store.panel.entry(entry(1).story_id, ["103", "102", "101"])
    assert found is not None
    assert found.owner == "102"
    assert await store.panel.entry(entry(1).story_id, ["103"]) is None
    assert await store.panel.owners(entry(1).story_id) == ["101", "102"]
    assert await store.panel.newest_entry() == T + 1


async def test_what_is_told_is_told_once(store: Store) -> None:
    story = Replaced(stories=frozenset({"x"}), entries=(), told=(("recording.finished", "r1"),))
    await store.panel.replace_entries([story], T)
    await store.panel.replace_entries([story], T + 1)
    [told] = await store.panel.told(0)
    assert (told.kind, told.object, told.at) == ("recording.finished", "r1", T)
    assert await store.panel.last_told() == told.number
    assert await store.panel.told(told.number) == []
    assert await store.panel.forget_told(T + 1) == 1


# --- people -------------------------------------------------------------------------------------


async def test_a_user_is_added_once_and_changed_field_by_field(store: Store) -> None:
    assert await store.panel.add_user(user())
    assert not await store.panel.add_user(user(name="Eve"))
    changed = await store.panel.change_user("101", scope=("102", "@sales"), rights=("list",), password="h")
    assert changed == user(scope=("102", "@sales"), rights=("list",), password="h")
    assert await store.panel.user("101") == changed
    assert await store.panel.change_user("nobody", name="x") is None
    assert await store.panel.user("nobody") is None


async def test_users_stand_by_login_and_are_in_a_backup(store: Store, tmp_path: Any) -> None:
    await store.panel.add_user(user("b"))
    await store.save([user("a"), entry(1)])
    assert [u.login for u in await store.panel.users()] == ["a", "b"]
    await store.backup(str(tmp_path / "dump"))
    other = open_store("memory:")
    await other.restore(str(tmp_path / "dump"))
    assert await other.panel.users() == await store.panel.users()
    assert numbers(await other.panel.entries(["101"], Wanted())) == [1]


async def test_sessions_begin_are_seen_and_end(store: Store) -> None:
    panel = store.panel
    for s in (session("a"), session("b", started_at=T + 1), session("c", login="102")):
        await panel.put_session(s)
    assert [s.id for s in await panel.sessions("101")] == ["b", "a"]
    await panel.touch_session("a", T + 50)
    await panel.give_reason("a", "r1", "жалоба")
    assert await panel.session("a") == session("a", seen_at=T + 50, reasons={"r1": "жалоба"})
    assert await panel.end_sessions("101", but="a") == 1
    assert await panel.end_session("a")
    assert not await panel.end_session("a")
    assert await panel.session("a") is None
    assert [s.id for s in await panel.sessions("102")] == ["c"]


async def test_sessions_expire_by_age_and_by_idleness(store: Store) -> None:
    for s in (session("old", until=T - 1), session("idle", seen_at=T - 99), session("fine")):
        await store.panel.put_session(s)
    assert await store.panel.expire_sessions(T, T - 50) == 2
    assert [s.id for s in await store.panel.sessions("101")] == ["fine"]


def tried(kind: str, who: str, failures: int = 1, at: float = T) -> Tries:
    return Tries(kind=kind, who=who, failures=failures, last_at=at)


async def test_failed_tries_are_counted_by_what_they_are_of(store: Store) -> None:
    panel = store.panel
    await panel.put_tries([tried("login", "a"), tried("address", "a", 7)])
    await panel.put_tries([tried("login", "a", 2, T + 1), tried("login", "b")])
    asked = [("login", "a"), ("address", "a"), ("address", "b")]
    found = {(t.kind, t.who): t for t in await panel.tries(asked)}
    assert found == {asked[0]: tried("login", "a", 2, T + 1), asked[1]: tried("address", "a", 7)}
    await panel.put_tries([tried("login", "a", 0), tried("login", "nobody", 0)])
    assert await panel.tries([("login", "a"), ("login", "nobody")]) == []


async def test_old_tries_are_forgotten_and_the_oldest_of_too_many(store: Store) -> None:
    panel = store.panel
    await panel.put_tries([tried("login", str(n), at=T + n) for n in range(6)])
    assert await panel.forget_tries(T + 2, most=9) == 2
    assert await panel.forget_tries(T, most=3) == 1
    assert {t.who for t in await panel.tries([("login", str(n)) for n in range(6)])} == {"3", "4", "5"}


async def test_tokens_are_found_by_their_hash_until_they_end(store: Store) -> None:
    await store.save([token("t1"), token("t2"), token("t3")])
    await store.panel.touch_token("t1", T + 1)
    found = await store.panel.token("ht1")
    assert found is not None
    assert (found.id, found.used_at) == ("t1", T + 1)
    assert await store.panel.end_token("t1")
    assert await store.panel.token("ht1") is None
    assert [t.id for t in await store.panel.tokens("101")] == ["t2", "t3"]
    assert await store.panel.end_tokens("101") == 2


async def test_webhooks_remember_how_far_they_are(store: Store) -> None:
    await store.save([webhook()])
    await store.panel.change_webhook("w1", position=7, last_error="no route", enabled=False)
    [hook] = await store.panel.webhooks()
    assert (hook.position, hook.last_error, hook.enabled) == (7, "no route", False)
    assert await store.panel.end_webhook("w1")
    assert await store.panel.webhooks() == []


# --- the trail ----------------------------------------------------------------------------------


async def test_the_trail_is_paged_and_narrowed(store: Store) -> None:
    rows = [sample.audit(f"u{n}", at=T + n, who="a" if n % 2 else "b") for n in range(6)]
    await store.save(rows)
    assert [r.id for r in await store.panel.audit_page({"who": "a"}, limit=2)] == ["u5", "u3"]
    assert [r.id for r in await store.panel.audit_page({"who": "a"}, before=(T + 3, "u3"))] == ["u1"]
    assert await store.panel.audit_page({"who": "c"}) == []
