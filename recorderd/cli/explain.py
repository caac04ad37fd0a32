"""explain: what would be decided about a call, and why. Works without a daemon.

Owns how a decision is shown. Decides nothing: configuration and store make the policy, the core decides.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recorderd.cli import moments
from recorderd.cli.command import Command, Exit, Wrong
from recorderd.cli.output import printable, show
from recorderd.cli.storing import with_store
from recorderd.config import Config, Question, explain, merge_policy
from recorderd.core.policy import Policy
from recorderd.core.rules import Fault
from recorderd.errors import StoreError

if TYPE_CHECKING:
    from recorderd.store.abc import PolicyRows, Store


def policy_in_force(config: Config) -> tuple[Policy, tuple[Fault, ...], str]:
    """The policy, what is wrong in its rules, and where it was read: the store, else the snapshot."""
    rows, source = _rows(config)
    policy, faults = merge_policy(config, rows.extensions, rows.rules, rows.version)
    return policy, faults, source


def _rows(config: Config) -> tuple[PolicyRows, str]:
    async def load(store: Store) -> PolicyRows:
        return await store.load_policy()

    try:
        return with_store(config, load), "the database"
    except StoreError as error:
        from recorderd.store.snapshot import load_snapshot

        rows = load_snapshot(str(config.snapshot))
        if rows is None:
            raise
        return rows, f"the snapshot {config.snapshot}, since {error}"


def _explain(args: argparse.Namespace, config: Config) -> int:
    policy, faults, source = policy_in_force(config)
    now = time.time()
    question = Question(
        caller=_number(args.caller),
        callee=_number(args.callee),
        at=now if args.at is None else moments.moment(args.at, now, policy.zone),
        did=_number(args.did) if args.did else "",
        trunk=args.trunk,
        context=args.context,
        pressed=args.pressed,
    )
    answer = explain(question, policy, config.names())
    answer |= {
        "at": moments.written(question.at, policy.zone),
        "source": source,
        "faults": [f"rules in {source}: {fault}" for fault in faults],
    }
    show(args, answer, _text)
    return Exit.OK


def _number(text: str) -> str:
    if not text or not text.isprintable() or len(text) > 80:
        raise Wrong(f"{text!r} is not a number")
    return text


def _text(answer: Mapping[str, Any]) -> str:
    caller, callee = (
        f"{p['number']} ({'an extension' if p['extension'] else 'outside'})" for p in answer["parties"]
    )
    lines = [
        f"{caller} calls {callee} at {answer['at']}",
        f"{'record' if answer['record'] else 'do not record'}: {answer['mode']}, {answer['reason']}",
        f"if it cannot be recorded: {answer['fail_mode']}",
        f"policy {answer['policy_version']} of {answer['source']}",
        "",
        *(f"  {line}" for line in answer["trace"]),
        *(f"  fault: {line}" for line in answer["faults"]),
    ]
    return "\n".join(printable(line) for line in lines)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="caller", required=True, metavar="A", help="who calls")
    parser.add_argument("--to", dest="callee", required=True, metavar="B", help="who is called")
    parser.add_argument("--at", metavar="TIME", help="when: 10:30, 2026-11-23 10:30 (default now)")
    parser.add_argument("--did", default="", metavar="N", help="the number that an outside caller dialled")
    parser.add_argument("--trunk", default="", metavar="T", help="the endpoint of the outside party")
    parser.add_argument("--context", default="", metavar="C", help="the caller's dialplan context")
    parser.add_argument("--pressed", action="store_true", help="as if the feature code had been pressed")


EXPLAIN = Command("what would be decided about a call, and why", _explain, _arguments)
