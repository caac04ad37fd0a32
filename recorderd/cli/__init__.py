"""The command line: one file for each group of commands, one table of them all.

    program    from argv to an exit code
    registry   every command
    command    what a command is; output, moments, storing: what commands share

Must not hold an opinion of its own about calls: it asks the daemon, the store or the core.
"""

from recorderd.cli.program import main

__all__ = ["main"]
