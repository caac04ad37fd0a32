"""How a clerk's process is begun; light, so that the first may be begun before the daemon has loaded itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

WORKER = (sys.executable, "-m", "recorderd.clerk")


def spawn(worker: Sequence[str] = WORKER) -> subprocess.Popen[bytes]:
    """A clerk that waits for its daemon's first word. It ends when its standard input does. Raises OSError."""
    # A session of its own: a Ctrl-C at the daemon's terminal ends the daemon first.
    return subprocess.Popen(
        worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
    )
