"""archive, and what people do to kept audio: hold, release, erase, expire, tag.

Owns these commands. Must not know how audio is kept or deleted: `daemon.keeper` and its neighbours do.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from recorderd.cli import logs, moments
from recorderd.cli.command import Command, Exit, Wrong
from recorderd.cli.output import show, table
from recorderd.cli.storing import who, with_store
from recorderd.config import Config
from recorderd.core.keeping import Hold

if TYPE_CHECKING:
    from recorderd.daemon.keeper import Keeper
    from recorderd.store.abc import Store

T = TypeVar("T")

# --- the process -----------------------------------------------------------------------------------


def _archive(args: argparse.Namespace, config: Config) -> int:
    if not config.archive.enabled:
        raise Wrong(f"{config.path}: archive.enabled is false, so nothing is archived", Exit.CONFIG)
    logs.start(config.log)
    # Only here: the other commands need not load what encodes.
    from recorderd.daemon import archivist

    return Exit.OK if asyncio.run(archivist.run(config, once=args.once)) else Exit.NO


def _archive_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="do everything that is due, and end")


# --- holds -----------------------------------------------------------------------------------------


def _hold(args: argparse.Namespace, config: Config) -> int:
    if args.list:
        return _list_holds(args, config)
    if not args.reason:
        raise Wrong("say why with --reason: it stays with the hold for ever")
    scope = (args.recording, args.conversation, args.person, args.since, args.until)
    if not any(scope) and not args.everything:
        raise Wrong("say what to hold: --recording, --conversation, --person, --since, or --everything")

    async def work(keeper: Keeper) -> tuple[Hold, int]:
        from recorderd.daemon.ids import new_id

        now = time.time()
        hold = Hold(
            id=new_id(),
            at=now,
            who=who(),
            reason=args.reason,
            recording_id=args.recording,
            conversation_id=args.conversation,
            person=args.person,
            since=args.since and moments.since(args.since, now, config.zone),
            until=args.until and moments.since(args.until, now, config.zone),
        )
        return hold, await keeper.hold(hold)

    hold, late = _with_keeper(config, work)
    data = {"hold": hold.id, "deleted_before": late}
    show(args, data, lambda _: f"hold {hold.id} is in force" + _late(late))
    return Exit.OK


def _late(count: int) -> str:
    return f"; {count} of the recordings it covers were deleted before" if count else ""


def _list_holds(args: argparse.Namespace, config: Config) -> int:
    async def ask(store: Store) -> list[Hold]:
        return await store.keeping.holds(released=args.all)

    data = [_hold_data(hold) for hold in with_store(config, ask)]
    show(args, data, lambda found: _holds_text(found, config))
    return Exit.OK


def _hold_data(hold: Hold) -> dict[str, Any]:
    return {name: getattr(hold, name) for name in Hold.__dataclass_fields__}


def _holds_text(data: Sequence[Mapping[str, Any]], config: Config) -> str:
    headings = ("hold", "since", "by", "covers", "reason", "released")
    rows = [
        (
            hold["id"],
            moments.written(hold["at"], config.zone),
            hold["who"],
            _covers(hold, config),
            hold["reason"],
            moments.written(hold["released_at"], config.zone),
        )
        for hold in data
    ]
    return table(headings, rows, "no hold is in force")


def _covers(hold: Mapping[str, Any], config: Config) -> str:
    parts = [
        f"{word} {hold[name]}"
        for word, name in (
            ("recording", "recording_id"), ("conversation", "conversation_id"), ("person", "person"),
        )
        if hold[name]
    ]  # fmt: skip
    parts += [
        f"{name} {moments.written(hold[name], config.zone)}" for name in ("since", "until") if hold[name]
    ]
    return ", ".join(parts) or "everything"


def _hold_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="TEXT", help="why; kept for ever")
    parser.add_argument("--recording", metavar="ID", default="")
    parser.add_argument("--conversation", metavar="ID", default="")
    parser.add_argument("--person", metavar="NUMBER", default="", help="any party's extension or number")
    parser.add_argument("--since", metavar="TIME", help="calls that ended then or later")
    parser.add_argument("--until", metavar="TIME", help="calls that began before")
    parser.add_argument("--everything", action="store_true", help="every recording there is and will be")
    parser.add_argument("--list", action="store_true", help="the holds in force")
    parser.add_argument("--all", action="store_true", help="with --list: those released too")


def _release(args: argparse.Namespace, config: Config) -> int:
    async def work(keeper: Keeper) -> Hold | None:
        return await keeper.release(args.hold, who(), args.reason)

    if _with_keeper(config, work) is None:
        raise Wrong(f"no hold {args.hold} is in force: `recorderd hold --list` shows them", Exit.NO)
    show(args, {"released": args.hold}, lambda _: f"hold {args.hold} is over")
    return Exit.OK


def _release_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hold", metavar="HOLD", help="its id")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; kept for ever")


# --- what goes ---------------------------------------------------------------------------------------


def _erase(args: argparse.Namespace, config: Config) -> int:
    if not args.yes:
        raise Wrong("this deletes audio for good, everywhere: say --yes if that is meant")

    async def work(keeper: Keeper) -> Any:
        return await keeper.erase(args.person, who(), args.reason)

    erased = _with_keeper(config, work)
    data = {name: list(getattr(erased, name)) for name in ("deleted", "elsewhere", "held", "failed")}
    show(args, data, _erased_text)
    return Exit.NO if data["held"] or data["failed"] else Exit.OK


def _erased_text(data: Mapping[str, Sequence[str]]) -> str:
    lines = [f"{len(data['deleted'])} recordings were erased"]
    if data["elsewhere"]:
        lines.append(f"{len(data['elsewhere'])} are other nodes' and go when the archive runs there")
    if data["held"]:
        lines.append(f"{len(data['held'])} are under a legal hold and go when it is over")
    if data["failed"]:
        lines.append(f"{len(data['failed'])} could not be deleted and are tried again by the archive")
    return "\n".join(lines)


def _erase_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("person", metavar="NUMBER", help="an extension or a number, as calls have it")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; kept for ever")
    parser.add_argument("--yes", action="store_true", help="it is meant")


def _expire(args: argparse.Namespace, config: Config) -> int:
    if args.recording and not args.reason:
        raise Wrong("say why with --reason: it stays with the recording for ever")
    work = _delete_these(args) if args.recording else _expire_now(args, config)
    gone = _with_keeper(config, work)
    show(args, gone, lambda found: _gone_text(found, dry_run=args.dry_run))
    return Exit.NO if any(each["error"] for each in gone) else Exit.OK


def _delete_these(args: argparse.Namespace) -> Callable[[Keeper], Awaitable[list[dict[str, Any]]]]:
    async def work(keeper: Keeper) -> list[dict[str, Any]]:
        gone = []
        for id in args.recording:
            verdict = await keeper.delete(id, who(), args.reason)
            error = "" if verdict.goes else verdict.why
            gone.append({"recording": id, "why": args.reason, "size": None, "error": error})
        return gone

    return work


def _expire_now(
    args: argparse.Namespace, config: Config
) -> Callable[[Keeper], Awaitable[list[dict[str, Any]]]]:
    async def work(keeper: Keeper) -> list[dict[str, Any]]:
        from recorderd.daemon.expiry import Expiry

        settings = config.archive
        expiry = Expiry(keeper, keeper.keeping, settings.rules, settings.default)
        return [
            {"recording": each.recording_id, "why": each.why, "size": each.size, "error": each.error}
            for each in await expiry.expire(time.time(), dry_run=args.dry_run)
        ]

    return work


def _gone_text(data: Sequence[Mapping[str, Any]], *, dry_run: bool) -> str:
    rows = [(each["recording"], each["why"], each["size"], each["error"]) for each in data]
    head = "would go" if dry_run else "gone"
    return table((head, "why", "bytes", "not, because"), rows, "nothing is too old")


def _expire_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", metavar="ID", nargs="*", help="delete these now, whatever their age")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, for those; kept for ever")
    parser.add_argument("--dry-run", action="store_true", help="only say what is too old")


def _tag(args: argparse.Namespace, config: Config) -> int:
    async def work(keeper: Keeper) -> bool:
        known = bool(await keeper.subjects([args.recording]))
        if known:
            await keeper.tag(args.recording, args.tag, who(), remove=args.remove)
        return known

    if not _with_keeper(config, work):
        raise Wrong(f"there is no recording {args.recording}", Exit.NO)
    show(args, {"recording": args.recording, "tag": args.tag}, lambda d: f"{d['recording']}: {d['tag']}")
    return Exit.OK


def _tag_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", metavar="ID")
    parser.add_argument("tag", metavar="WORD", help="a word that retention rules can ask for")
    parser.add_argument("--remove", action="store_true", help="take it off")


def _with_keeper(config: Config, work: Callable[[Keeper], Awaitable[T]]) -> T:
    async def working(store: Store) -> T:
        from recorderd.daemon.buckets import SOMEBODY_WAITS, stock_of
        from recorderd.daemon.ids import new_id
        from recorderd.daemon.keeper import Keeper

        stock = stock_of(config, store, SOMEBODY_WAITS)
        keeper = Keeper(
            store, config.spool.monitor, config.state, time.time, new_id, node=config.node, stock=stock
        )
        return await work(keeper)

    return with_store(config, working)


COMMANDS: Mapping[str, Command] = {
    "archive": Command("the process that verifies, encodes and expires", _archive, _archive_arguments),
    "hold": Command("put recordings under a legal hold", _hold, _hold_arguments),
    "release": Command("end a legal hold", _release, _release_arguments),
    "erase": Command("delete a person's audio for good", _erase, _erase_arguments),
    "expire": Command("delete what is too old, or these recordings", _expire, _expire_arguments),
    "tag": Command("put a word on a recording for retention", _tag, _tag_arguments),
}
