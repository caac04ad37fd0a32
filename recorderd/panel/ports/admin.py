"""The administrator's pages, and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from recorderd.core.policy import ExtensionPolicy
from recorderd.panel.ports.paging import Page
from recorderd.panel.ports.people import Viewer
from recorderd.store.abc import AuditRow, RuleRow


class Audit(Protocol):
    """The append-only trail: every play, download, export, change and refusal."""

    async def note(
        self, viewer: Viewer | None, action: str, object: str = "", detail: Mapping[str, Any] | None = None
    ) -> None:
        """Write a line. Services do it themselves; a page needs it for nothing else."""

    async def page(
        self,
        viewer: Viewer,
        *,
        cursor: str | None = None,
        who: str = "",
        action: str = "",
        object: str = "",
        limit: int = 100,
    ) -> Page[AuditRow]:
        """Newest first; each filter is an exact word. Right AUDIT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRow:
    """One extension for the bulk editor; `own` is False where only the default speaks for it."""

    policy: ExtensionPolicy
    name: str
    own: bool


class Admin(Protocol):
    """The administrator's pages. Right ADMINISTER, but for `coverage` and `status`, for which AUDIT is
    enough.
    """

    async def extensions(self, viewer: Viewer) -> Sequence[ExtensionRow]:
        """Every extension with a policy or an account, by number; and the default first, as extension ""."""

    async def save_extensions(
        self, viewer: Viewer, extensions: Sequence[str], change: Mapping[str, str]
    ) -> int:
        """Bulk edit: fields `inbound`, `outbound`, `internal_inbound`, `internal_outbound` (a mode, `same`,
        or missing: stays), `locked` (yes, no), `lock_reason`, `fail_mode`, `lookback` (off, whole-call),
        `announce` (a prompt, `-` for none), `beep` (seconds), `name`. The new version. FaultyInput.
        """

    async def delete_extension(self, viewer: Viewer, extension: str) -> int:
        """Let it follow the default again; the new version. NotFound."""

    async def import_policy(self, viewer: Viewer, text: str, form: str, *, replace: bool = False) -> int:
        """A CSV or YAML file (`form`: csv, yaml), whole or not at all; the number of extensions taken.

        Extensions that the file does not name stay, unless `replace`. FaultyInput: key `file`, one fault a
        line.
        """

    async def export_policy(self, viewer: Viewer, form: str) -> str:
        """The text that `import_policy` takes; CSV has no rules."""

    async def rules(self, viewer: Viewer) -> Sequence[RuleRow]:
        """In their order."""

    async def rules_text(self, viewer: Viewer) -> str:
        """The rules as YAML, to edit."""

    async def save_rules(self, viewer: Viewer, text: str) -> int:
        """All rules from YAML; the new version. FaultyInput: key `rules`, one fault a line."""

    async def explain(self, viewer: Viewer, question: Mapping[str, str]) -> Mapping[str, Any]:
        """What would be decided: fields `caller`, `callee`, `at` (local `2026-11-23 10:30`, empty: now),
        `did`, `trunk`, `context`, `pressed`. As `config.question.explain`. FaultyInput.
        """

    async def what_if(
        self, viewer: Viewer, rules: str, *, days: int = 30, limit: int = 500
    ) -> Mapping[str, Any]:
        """These rules held against real calls of the past: `{"checked": n, "changed": [{"id", "started_at",
        "source", "destination", "was", "would_be", "reason"}], "counts": {"always -> never": n}}`.
        FaultyInput.
        """

    async def coverage(self, viewer: Viewer, since: str = "today") -> Mapping[str, Any]:
        """The proof, as `recorderd coverage --json` gives it. FaultyInput."""

    async def status(self, viewer: Viewer) -> Mapping[str, Any]:
        """The daemon's status as `recorderd status --json`, `{"reachable": False, "why": str}` without it."""

    async def storage(self, viewer: Viewer) -> Mapping[str, Any]:
        """For everybody signed in, what `recorderd capacity` says. The disk: `{"total", "used", "free"`
        (bytes)`, "recordings", "seconds", "bytes"` (of all that is here) `, "bytes_per_hour", "hours_left"`
        (as is recorded now) `, "full_at": float | None, "formats": [{"name", "mb_per_hour", "bytes_per_hour",
        "hours": {"250 GB": n, "500 GB": n, "1 TB": n}}]}`. Some minutes old at most.
        """

    async def alarms(self, viewer: Viewer, days: int = 7) -> Sequence[Mapping[str, Any]]:
        """Newest first: `at`, `kind`, `sentence`, `keys`, `cleared_at`."""
