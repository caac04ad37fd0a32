"""Where commands wait until the engine returns them.

Owns nothing but their order. The parts of the engine write into one outbox, so that a lane's row leaves
before the action that makes its file, whoever wrote either; and that action before all that can wait: Asterisk does
one after the other, and each that is sent may cost us the processor.
"""

from __future__ import annotations

from recorderd.core import commands


class Outbox:
    """Commands in the order in which they are to be carried out."""

    def __init__(self) -> None:
        self._waiting: list[commands.Command] = []

    def do(self, command: commands.Command) -> None:
        """Ask for one thing."""
        self._waiting.append(command)

    def alarm(self, at: float, kind: str, sentence: str, **keys: str) -> None:
        """Tell people now."""
        self.do(commands.Alarm(at=at, kind=kind, sentence=sentence, keys=keys))

    def take(self) -> list[commands.Command]:
        """Everything asked for since the last time."""
        waiting, self._waiting = self._waiting, []
        waiting.sort(key=can_wait)
        return waiting


def can_wait(command: commands.Command) -> bool:
    """A name in a CDR, a feature code: no sound is lost for want of them."""
    in_a_cdr = isinstance(command, commands.Setvar) and command.variable.startswith("CDR(")
    return in_a_cdr or isinstance(command, commands.OfferFeature)
