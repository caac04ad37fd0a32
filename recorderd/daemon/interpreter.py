"""How Python itself is set for a process in the call path: pauses are short, threads do not wait for each other.

Owns these settings and their reasons. Must not know a call.
"""

from __future__ import annotations

import gc
import sys

# Seconds until a thread that waits for the interpreter gets it. The dialplan's thread and the database's wake the
# engine's some thousand times a second, and each time it may wait so long: Python's own 5 ms add up.
SWITCH_SECONDS = 0.001
# Objects made until the youngest are looked through, how often that is done until those are that outlived it, and so
# on. Rows and events die by themselves; a first picture of 10,000 channels makes 150,000 objects that live, and to look
# through many of them at once would stop the loop for a tenth of a second.
YOUNG = (10_000, 3, 100)


def settle() -> None:
    """Once, when everything is loaded that calls need.

    What lives by now lives to the end. Python would look through all of it again and again, and each time nothing
    else happens: 0.35 s of CPU in a run of bench `cost`.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*YOUNG)
