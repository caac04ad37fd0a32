"""Which benches there are, in the order in which they run.

Modules are named, not imported: each is loaded in the process that runs it.
"""

from __future__ import annotations

BENCHES: dict[str, str] = {
    "ami": "bench.ami_front",
    "fastagi": "bench.fastagi",
    "attack": "bench.attack",
    "dialplan": "bench.dialplan_step",
    "cost": "bench.call_cost",
    "bytes": "bench.ami_bytes",
    "start": "bench.start_latency",
    "stall": "bench.stall",
    "limits": "bench.limits",
    "resync": "bench.resync",
    "memory": "bench.memory",
    "panel": "bench.panel_queries",
    "rows": "bench.store_rows",
    "encoding": "bench.encoding",
}
