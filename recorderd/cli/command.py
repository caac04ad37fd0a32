"""What a command is, and what its exit codes mean: owns both. Must not know any one command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from recorderd.config import Config
from recorderd.control.ports import NotFound
from recorderd.errors import (
    AmiError,
    AudioError,
    ConfigError,
    ControlError,
    EvidenceError,
    LoginRefused,
    RecorderdError,
    StoreError,
)


class Exit(IntEnum):
    """Exit codes, as sysexits.h has them; NO is an answer, not a failure."""

    OK = 0
    NO = 1
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    CANT_CREATE = 73
    IO = 74
    NO_PERMISSION = 77
    CONFIG = 78
    INTERRUPTED = 130


# The first line that fits tells the exit code of an error.
OF_ERRORS: tuple[tuple[type[BaseException], Exit], ...] = (
    (ConfigError, Exit.CONFIG),
    (LoginRefused, Exit.NO_PERMISSION),
    (AmiError, Exit.UNAVAILABLE),
    (StoreError, Exit.UNAVAILABLE),
    (NotFound, Exit.NO),
    (ControlError, Exit.UNAVAILABLE),
    (AudioError, Exit.IO),
    (EvidenceError, Exit.IO),
    (RecorderdError, Exit.SOFTWARE),
    (KeyboardInterrupt, Exit.INTERRUPTED),
)


class Wrong(RecorderdError):
    """What a person gave to a command cannot be used; `code` says in what way."""

    def __init__(self, sentence: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `arguments` adds what it takes, `run` does it and returns an exit code.

    `help` is one line for the list of commands.
    """

    help: str
    run: Callable[[argparse.Namespace, Config], int]
    arguments: Callable[[argparse.ArgumentParser], None] = lambda _parser: None


def exit_code(error: BaseException) -> Exit:
    """What an error is to whoever called us."""
    if isinstance(error, Wrong):
        return error.code
    return next((code for kind, code in OF_ERRORS if isinstance(error, kind)), Exit.SOFTWARE)
