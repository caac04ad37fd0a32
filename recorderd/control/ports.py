"""What the control room needs of the daemon: owns the contract only.

Every method is called in the daemon's event loop and must be cheap. Mappings go out as JSON. A
RecorderdError becomes an answer with its sentence; NotFound becomes 404.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from recorderd.core import events
from recorderd.errors import ControlError

ACTIONS = ("toggle", "start", "stop", "pause", "resume")


class NotFound(ControlError):
    """Nothing of that name is there now."""


class Daemon(Protocol):
    """The daemon, as the control socket sees it."""

    def status(self) -> Mapping[str, Any]:
        """How it is: version, since when, Asterisk, store, journal, policy, alarms, counts."""

    def troubles(self) -> Sequence[str]:
        """A sentence for each thing for which it cannot do its work now; none while it is well."""

    def calls(self) -> Sequence[Mapping[str, Any]]:
        """The conversations of this moment."""

    async def press(self, action: str, target: str, by: str, source: str, reason: str) -> Mapping[str, str]:
        """Do one of ACTIONS to a conversation: `outcome` and `reason`, as `commands.Answer` has them.

        `target` is a uniqueid, a channel's name or an extension. NotFound when it takes part in no call.
        """

    def consult(self, question: events.Consult) -> Mapping[str, Any]:
        """The advice for a call about to be dialled, from memory: the fields of an AGI advice."""

    async def armed(self, uniqueid: str) -> bool:
        """Whether a recorder's file has been seen on this channel; waits a little for it."""

    def explain(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What would be decided, and why. `asked` has caller, callee, at, did, trunk, context, pressed."""

    async def reload(self) -> Mapping[str, Any]:
        """Read the configuration again: `policy_version` and `warnings`. ConfigError keeps the old one."""

    def policy_version(self) -> int:
        """The version of policy in force."""

    def metrics(self) -> bytes:
        """Prometheus' text format."""
