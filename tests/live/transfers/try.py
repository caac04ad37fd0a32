import sys
import tempfile
from pathlib import Path

from tests.live.transfers import play
from tests.live.transfers.cases import SCENARIOS

version = int(sys.argv[1])
words = sys.argv[2:]
chosen = [s for s in SCENARIOS if not words or any(w in s.name for w in words)]
folder = Path(tempfile.mkdtemp(prefix="tm-"))
print(len(SCENARIOS), len(chosen), folder, flush=True)
import time

t = time.time()
stack, played = play.run(version, folder, chosen)
print("played", time.time() - t, flush=True)
req = mis = 0
bad = 0
for s in chosen:
    v = played.verdict(s.name)
    req += v.required_ms
    mis += v.missing_ms
    if v.faults:
        bad += bool(v.faults)
        print(
            "##" if v.faults else "..",
            s.name,
            v.cast.numbers,
            f"| {v.required_ms - v.missing_ms:.0f}/{v.required_ms:.0f} gap {v.gap_ms:.0f} leak {v.leaked_ms:.0f}/{v.forbidden_ms:.0f} files {v.files} rows {v.linked}/{v.rows}",
        )
        for f in v.faults:
            print("      ", f)
from collections import Counter, defaultdict

sums = defaultdict(list)
for s in chosen:
    for who, where, ms, at in played.verdict(s.name).holes:
        sums[where].append(ms)
        if ms > 20:
            print("   hole", s.name, who, where, ms, at)
for k, v in sums.items():
    print(k, len(v), sum(v), sorted(Counter(v).items()))

print(
    "covered",
    1 - mis / req if req else None,
    "bad",
    bad,
    "strays",
    played.strays(),
    "proof",
    played.proof[:1500],
)
print("judged", time.time() - t)
stack.close()
