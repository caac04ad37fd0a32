"""user add, code, list, role, disable, enable: who may sign in to the panel.

Owns how these are asked for and shown. What they mean is the panel's: the command line is an administrator.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from recorderd.cli import moments
from recorderd.cli.command import Command, Exit, Wrong
from recorderd.cli.output import printable, show, table
from recorderd.cli.storing import who, with_store
from recorderd.config import Config

if TYPE_CHECKING:
    from recorderd.panel.accounts import AccountKeeper
    from recorderd.panel.ports import Account, Viewer
    from recorderd.store.abc import Store

T = TypeVar("T")

ROLES = ("user", "supervisor", "auditor", "administrator")


def _with_accounts(config: Config, work: Callable[[AccountKeeper, Viewer], Awaitable[T]]) -> T:
    """Do it as an administrator by the name of whoever runs this command."""
    from recorderd.panel.accounts import AccountKeeper
    from recorderd.panel.audit import AuditTrail
    from recorderd.panel.ports import FaultyInput, Refused, Right, Role, Viewer

    async def ask(store: Store) -> T:
        audit = AuditTrail(store, time.time)
        accounts = AccountKeeper(store, audit, time.time)
        viewer = Viewer(
            login=who(),
            name=who(),
            role=Role.ADMINISTRATOR,
            extension="",
            scope=None,
            rights=frozenset(Right),
            via="cli",
        )
        return await work(accounts, viewer)

    try:
        return with_store(config, ask)
    except FaultyInput as faults:
        raise Wrong(str(faults), Exit.DATA) from faults
    except Refused as refused:
        raise Wrong(str(refused), Exit.NO) from refused


def _add(args: argparse.Namespace, config: Config) -> int:
    given = {"login": args.login, "name": args.name, "role": args.role}
    optional = {"extension": args.extension, "scope": args.scope, "rights": args.rights}
    fields = given | {name: value for name, value in optional.items() if value is not None}

    async def add(accounts: AccountKeeper, viewer: Viewer) -> tuple[Account, str]:
        return await accounts.add(viewer, fields)

    account, code = _with_accounts(config, add)
    show(args, {**_shown(account), "code": code}, _code_text)
    return Exit.OK


def _code(args: argparse.Namespace, config: Config) -> int:
    async def new(accounts: AccountKeeper, viewer: Viewer) -> str:
        return await accounts.new_code(viewer, args.login)

    show(args, {"login": args.login, "code": _with_accounts(config, new)}, _code_text)
    return Exit.OK


def _code_text(data: Mapping[str, Any]) -> str:
    return printable(f"{data['login']} signs in once with the code {data['code']}, within a day")


def _role(args: argparse.Namespace, config: Config) -> int:
    optional = {"role": args.role, "extension": args.extension, "scope": args.scope, "rights": args.rights}
    fields = {name: value for name, value in optional.items() if value is not None}

    async def change(accounts: AccountKeeper, viewer: Viewer) -> Account:
        return await accounts.change(viewer, args.login, fields)

    account = _with_accounts(config, change)
    show(args, _shown(account), lambda d: printable(f"{d['login']} is {d['role']}"))
    return Exit.OK


def _disabling(disabled: bool) -> Callable[[argparse.Namespace, Config], int]:
    def run(args: argparse.Namespace, config: Config) -> int:
        async def change(accounts: AccountKeeper, viewer: Viewer) -> None:
            await accounts.set_disabled(viewer, args.login, disabled)

        _with_accounts(config, change)
        word = "disabled" if disabled else "enabled"
        show(
            args, {"login": args.login, "disabled": disabled}, lambda d: printable(f"{d['login']} is {word}")
        )
        return Exit.OK

    return run


def _list(args: argparse.Namespace, config: Config) -> int:
    async def all(accounts: AccountKeeper, viewer: Viewer) -> Sequence[Account]:
        return await accounts.list(viewer)

    found = [_shown(account) for account in _with_accounts(config, all)]
    show(args, found, lambda data: _list_text(data, config))
    return Exit.OK


def _shown(account: Account) -> dict[str, Any]:
    return {
        "login": account.login,
        "name": account.name,
        "role": str(account.role),
        "extension": account.extension,
        "scope": list(account.scope),
        "rights": None if account.rights is None else [str(right) for right in account.rights],
        "state": account.state,
        "last_login_at": account.last_login_at,
    }


def _list_text(data: Sequence[Mapping[str, Any]], config: Config) -> str:
    headings = ("login", "name", "role", "extension", "sees", "state", "last login")
    rows = [
        (
            u["login"],
            u["name"],
            u["role"],
            u["extension"],
            " ".join(u["scope"]),
            u["state"],
            moments.written(u["last_login_at"], config.zone),
        )
        for u in data
    ]
    return table(headings, rows, "nobody may sign in: `recorderd user add LOGIN --role administrator`")


# --- the parser ----------------------------------------------------------------------------------


def _login(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("login", metavar="LOGIN", help="an extension, or a name")


def _power(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--extension", metavar="EXT", help="whose calls are his own (default: a numeric login)"
    )
    parser.add_argument("--scope", metavar="LIST", help="what a supervisor sees: `102 103 @sales`")
    parser.add_argument("--rights", metavar="LIST", help="other rights than the role's: `list play`")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    _login(parser)
    parser.add_argument("--role", choices=ROLES, default="user")
    parser.add_argument("--name", metavar="TEXT", default="")
    _power(parser)


def _role_arguments(parser: argparse.ArgumentParser) -> None:
    _login(parser)
    parser.add_argument("role", choices=ROLES)
    _power(parser)


VERBS: Mapping[str, Command] = {
    "add": Command("let somebody in: prints a one-time code", _add, _add_arguments),
    "code": Command("a new one-time code; the old password ends", _code, _login),
    "list": Command("who may sign in", _list),
    "role": Command("change what somebody may", _role, _role_arguments),
    "disable": Command("let somebody in no more, at once", _disabling(True), _login),
    "enable": Command("let somebody in again", _disabling(False), _login),
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, command in VERBS.items():
        one = verbs.add_parser(name, help=command.help, description=command.help)
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON, for a machine")
        one.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        command.arguments(one)


USER = Command("who may sign in to the panel", lambda a, c: VERBS[a.verb].run(a, c), _arguments)
