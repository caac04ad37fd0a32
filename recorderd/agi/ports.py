"""What the AGI room needs of the daemon.

Owns the contract only. Every method is called from the AGI thread, never from the daemon's event loop.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from recorderd.agi.advice import Advice
from recorderd.core import commands, events


class Brain(Protocol):
    """Knows what policy says and carries facts to the engine. All three return at once, whatever is stuck.

    None may wait for the event loop, the database or a disk (a log handler is a disk too): the 100 ms within
    which the dialplan is answered are kept only so. Post to the loop with `call_soon_threadsafe`.
    """

    def consult(self, question: events.Consult) -> Advice:
        """The advice from an immutable snapshot of policy. Also posts the question to the engine, so that
        the caller's recorder is armed meanwhile."""

    def press(self, press: events.Press) -> Future[commands.Answer]:
        """Posts the press; the future gets the engine's answer.

        The daemon calls `set_running_or_notify_cancel()` on the future before the engine sees the press and
        drops the press if that is False: we gave up, and the presser has already heard `denied`.
        """

    def armed(self, uniqueid: str) -> Future[bool]:
        """True once a file of a recorder on this channel has been seen, False once it is known to fail."""
