"""Which benches there are, in the order in which they run.

Modules are named, not imported: each is loaded in the process that runs it.
"""

from __future__ import annotations

BENCHES: dict[str, str] = {
    "ami": "bench.ami_front",
    "fastagi": "bench.fastagi",
    "attack": "bench.attack",
    "dialplan": "bench.dialplan_step",
    "memory": "bench.memory",
    "panel": "bench.panel_queries",
    "rows": "bench.store_rows",
    "encoding": "bench.encoding",
}
