"""The administrator's pages: extensions, rules, what-if, coverage, status, storage, alarms.

Owns what an administrator may read and change, and that it is written down. Must not decide anything about a
call: `config` reads what was typed, `core.policy` decides, the store keeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from recorderd.config import (
    Config,
    FaultyConfig,
    PolicyFile,
    Question,
    explain,
    merge_policy,
    read_policy,
    scalars,
)
from recorderd.config.policy_file import FileRule, write_policy
from recorderd.core.coverage import reconcile
from recorderd.core.policy import ExtensionPolicy, Policy
from recorderd.errors import ControlError, RecorderdError
from recorderd.evidence import gather, report
from recorderd.panel import storage, whatif
from recorderd.panel.audit import AuditTrail
from recorderd.panel.daemon import Daemon
from recorderd.panel.filters import Language
from recorderd.panel.language import _
from recorderd.panel.policy_changes import CHANGES, fault_of, read_change
from recorderd.panel.ports import Conflict, ExtensionRow, FaultyInput, NotFound, Right, Viewer
from recorderd.store.abc import PolicyRows, RuleRow, Store

_DAY = 86_400.0
_MOST_DAYS = 92
# So old the outlook on the disk may be before it is made again, while the old one is shown.
_OUTLOOK_SECONDS = 600.0
FORMS = ("csv", "yaml")
MOST_TEXT = 2 << 20
_AGO = re.compile(r"([0-9]{1,3})\s?[dд]", re.IGNORECASE)


class Administration:
    """See `ports.Admin`."""

    def __init__(
        self, store: Store, daemon: Daemon, audit: AuditTrail, config: Config, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._daemon = daemon
        self._audit = audit
        self._config = config
        self._clock = clock
        self._outlook: tuple[float, Mapping[str, Any]] | None = None
        self._looking: asyncio.Task[None] | None = None

    async def _demand(self, viewer: Viewer, right: Right, object: str) -> None:
        if not viewer.may(right):
            raise await self._audit.refused(viewer, right, object)

    # --- extensions ------------------------------------------------------------------------------

    async def extensions(self, viewer: Viewer) -> Sequence[ExtensionRow]:
        await self._demand(viewer, Right.ADMINISTER, "extensions")
        rows = await self._store.load_policy()
        default = self._config.policy.default
        own = {e.extension: e for e in rows.extensions}
        known = {*own, *(user.extension for user in await self._store.panel.users())} - {""}
        return [
            ExtensionRow(policy=replace(default, extension=""), name="", own=False),
            *(
                ExtensionRow(
                    policy=own.get(extension) or replace(default, extension=extension),
                    name=rows.names.get(extension, ""),
                    own=extension in own,
                )
                for extension in sorted(known, key=lambda e: (len(e), e))
            ),
        ]

    async def save_extensions(
        self, viewer: Viewer, extensions: Sequence[str], change: Mapping[str, str]
    ) -> int:
        await self._demand(viewer, Right.ADMINISTER, "extensions")
        values, name = read_change(change)
        faults = {e: str(fault) for e in extensions if (fault := fault_of(scalars.extension, e))}
        if not extensions:
            faults["extensions"] = _("Choose at least one extension.")
        if faults:
            raise FaultyInput(faults)
        rows = await self._store.load_policy()
        own = {e.extension: e for e in rows.extensions}
        changed = {
            e: replace(own.get(e) or replace(self._config.policy.default, extension=e), **values)
            for e in dict.fromkeys(extensions)
        }
        names = {**rows.names, **(dict.fromkeys(changed, name) if name is not None else {})}
        detail = {key: value for key, value in change.items() if key in (*CHANGES, "name")}
        await self._audit.note(viewer, "policy", " ".join(changed)[:200], {"set": detail})
        return await self._put(viewer, rows, {**own, **changed}.values(), names)

    async def delete_extension(self, viewer: Viewer, extension: str) -> int:
        await self._demand(viewer, Right.ADMINISTER, extension)
        if extension not in {e.extension for e in (await self._store.load_policy()).extensions}:
            raise NotFound(_("This extension follows the default already."))
        await self._audit.note(viewer, "policy", extension, {"deleted": True})
        return await self._store.delete_extension(extension, _who(viewer))

    async def _put(
        self,
        viewer: Viewer,
        rows: PolicyRows,
        extensions: Iterable[ExtensionPolicy],
        names: Mapping[str, str],
    ) -> int:
        """Everything in one step and one version; Conflict when somebody else was quicker."""
        if (await self._store.load_policy()).version != rows.version:
            raise Conflict(_("Somebody has just changed the policy: look again."))
        return await self._store.import_policy(list(extensions), rows.rules, _who(viewer), names)

    # --- files -----------------------------------------------------------------------------------

    async def import_policy(self, viewer: Viewer, text: str, form: str, *, replace: bool = False) -> int:
        await self._demand(viewer, Right.ADMINISTER, "policy")
        found = self._read(text, form, "file")
        rows = await self._store.load_policy()
        given = {e.extension: e for e in found.extensions or ()}
        kept = {} if replace and found.extensions is not None else {e.extension: e for e in rows.extensions}
        names = {**rows.names, **found.names}
        if found.rules is not None:
            rules = tuple(_row(rule) for rule in found.rules)
            rows = PolicyRows(version=rows.version, extensions=rows.extensions, names=rows.names, rules=rules)
        await self._audit.note(viewer, "import", "policy", {"extensions": len(given), "replace": replace})
        await self._put(viewer, rows, {**kept, **given}.values(), names)
        return len(given)

    def _read(self, text: str, form: str, key: str) -> PolicyFile:
        if form not in FORMS:
            raise FaultyInput({"form": _("A policy file is CSV or YAML.")})
        if len(text) > MOST_TEXT:
            raise FaultyInput({key: _("This file is too long.")})
        try:
            return read_policy(text.removeprefix("\ufeff"), key, self._config.policy.lists, form=form)
        except FaultyConfig as faults:
            raise FaultyInput({key: str(faults)}) from None

    async def export_policy(self, viewer: Viewer, form: str) -> str:
        await self._demand(viewer, Right.ADMINISTER, "policy")
        if form not in FORMS:
            raise FaultyInput({"form": _("A policy file is CSV or YAML.")})
        rows = await self._store.load_policy()
        await self._audit.note(viewer, "export", "policy", {"form": form})
        rules = tuple(FileRule(name=r.name, body=r.body, enabled=r.enabled) for r in rows.rules)
        return write_policy(PolicyFile(extensions=rows.extensions, names=rows.names, rules=rules), form=form)

    # --- rules -----------------------------------------------------------------------------------

    async def rules(self, viewer: Viewer) -> Sequence[RuleRow]:
        await self._demand(viewer, Right.ADMINISTER, "rules")
        return (await self._store.load_policy()).rules

    async def rules_text(self, viewer: Viewer) -> str:
        found = await self.rules(viewer)
        rules = tuple(FileRule(name=r.name, body=r.body, enabled=r.enabled) for r in found)
        return write_policy(PolicyFile(rules=rules)) if rules else "rules: []\n"

    async def save_rules(self, viewer: Viewer, text: str) -> int:
        await self._demand(viewer, Right.ADMINISTER, "rules")
        rules = self._rules(text)
        await self._audit.note(viewer, "rules", "rules", {"rules": [rule.name for rule in rules][:100]})
        return await self._store.replace_rules(rules, _who(viewer))

    def _rules(self, text: str) -> tuple[RuleRow, ...]:
        found = self._read(text, "yaml", "rules")
        if found.rules is None or found.extensions is not None:
            raise FaultyInput(
                {"rules": _("Rules begin with a line `rules:`, and nothing else stands beside it.")}
            )
        return tuple(_row(rule) for rule in found.rules)

    async def explain(self, viewer: Viewer, question: Mapping[str, str]) -> Mapping[str, Any]:
        await self._demand(viewer, Right.ADMINISTER, "explain")
        policy = self._policy(await self._store.load_policy())
        return explain(self._question(question), policy, self._config.names())

    def _question(self, given: Mapping[str, str]) -> Question:
        faults: dict[str, str] = {}
        texts = {n: given.get(n, "").strip() for n in ("caller", "callee", "did", "trunk", "context")}
        for name, text in texts.items():
            if len(text) > 80 or not text.isprintable() or (name in ("caller", "callee") and not text):
                faults[name] = _("This is not a number.")
        at = self._clock()
        if written := given.get("at", "").strip():
            try:
                found = datetime.fromisoformat(written)
                at = (found if found.tzinfo else found.replace(tzinfo=self._config.zone)).timestamp()
            except (ValueError, OverflowError, OSError):
                faults["at"] = _("“{text}” is not a time such as 2026-11-23 10:30.").format(text=written[:40])
        if faults:
            raise FaultyInput(faults)
        return Question(**texts, at=at, pressed=given.get("pressed", "") in ("1", "on", "yes", "true"))

    def _policy(self, rows: PolicyRows, rules: Sequence[RuleRow] | None = None) -> Policy:
        merged, _faults = merge_policy(
            self._config, rows.extensions, rows.rules if rules is None else rules, rows.version
        )
        return merged

    async def what_if(
        self, viewer: Viewer, rules: str, *, days: int = 30, limit: int = 500
    ) -> Mapping[str, Any]:
        await self._demand(viewer, Right.ADMINISTER, "what-if")
        policy = self._policy(await self._store.load_policy(), self._rules(rules))
        days, limit = max(1, min(days, _MOST_DAYS)), max(1, min(limit, 5000))
        calls = await whatif.past_calls(self._store, self._clock(), days, limit)
        return await whatif.compare(calls, policy)

    # --- how it is -------------------------------------------------------------------------------

    async def coverage(self, viewer: Viewer, since: str = "today") -> Mapping[str, Any]:
        await self._demand(viewer, Right.AUDIT, "coverage")
        now = self._clock()
        language = Language(now, self._config.zone)
        try:
            start = language.midnight(_first_day(language, since.strip()[:40] or "today"))
        except ValueError as error:
            raise FaultyInput({"since": str(error)}) from None
        if not now - _MOST_DAYS * _DAY <= start <= now:
            raise FaultyInput({"since": _("The proof is made for the past 92 days at most.")})
        seen = await gather(self._store, self._config, start, now)
        found = await asyncio.to_thread(
            reconcile, seen.intervals, seen.cdrs, seen.recordings, seen.files, seen.kept
        )
        return report(found, seen) | {"since": start, "until": now}

    async def status(self, viewer: Viewer) -> Mapping[str, Any]:
        await self._demand(viewer, Right.AUDIT, "status")
        try:
            return {"reachable": True, **await self._daemon.status()}
        except ControlError as error:
            return {"reachable": False, "why": str(error)}

    async def storage(self, viewer: Viewer) -> Mapping[str, Any]:  # noqa: ARG002  (anybody: it names nobody)
        if self._outlook is None:
            return await self._look()
        made, found = self._outlook
        if time.monotonic() - made > _OUTLOOK_SECONDS and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_again())
        return found

    async def _look(self) -> Mapping[str, Any]:
        found = await storage.look(self._store, self._config, self._clock())
        self._outlook = time.monotonic(), found
        return found

    async def _look_again(self) -> None:
        """Nobody waits: to add up millions of recordings takes a moment, and an older outlook is one too."""
        with contextlib.suppress(RecorderdError):
            await self._look()

    async def alarms(self, viewer: Viewer, days: int = 7) -> Sequence[Mapping[str, Any]]:
        await self._demand(viewer, Right.AUDIT, "alarms")
        found = await self._store.alarms(self._clock() - max(1, min(days, _MOST_DAYS)) * _DAY)
        return [
            {
                "id": row.id,
                "at": row.at,
                "kind": row.kind,
                "sentence": row.sentence,
                "keys": dict(row.keys),
                "cleared_at": row.cleared_at,
            }
            for row in reversed(found[-1000:])
        ]


def _first_day(language: Language, text: str) -> date:
    """Of a day or a month, or so many days ago: `7d`. ValueError with a sentence for anything else."""
    if ago := _AGO.fullmatch(text):
        return language.days("today")[0] - timedelta(days=int(ago[1]))
    return language.days(text)[0]


def _who(viewer: Viewer) -> str:
    return f"panel:{viewer.login}"


def _row(rule: FileRule) -> RuleRow:
    return RuleRow(name=rule.name, body=rule.body, enabled=rule.enabled)
