"""What recorderd costs and how quick it is, as ratios against its peers: `scripts/bench`.

    registry   the benches by name, in one literal dict
    row        what a bench finds: a figure, and the goal it is held to
    page       the table, the JSON and docs/bench.md
    ...        one file per bench

A bench is a module with `NAME`, one sentence in its docstring's first line, and

    def run(quick: bool) -> list[Row]

It runs in a process of its own, may print progress to stderr, interleaves its runs and gives medians. Speed is
measured here and nowhere else: no test may depend on it.
"""
