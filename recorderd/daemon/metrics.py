"""Prometheus: what the daemon counts, asked for when somebody looks.

Owns the names of the metrics and the buckets of times. Must not be asked for anything in the call path: every
figure is read from where it is kept anyway, and a time is one addition.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a metric says. `label` names what its value is a mapping of, if it is one."""

    kind: str
    says: str
    label: str = ""


# By the name without `recorderd_`; counters get `_total` behind it, as Prometheus has it.
METRICS: Mapping[str, Meaning] = {
    "info": Meaning("gauge", "1, with the version", "version"),
    "start_time_seconds": Meaning("gauge", "when the daemon began, in seconds since the epoch"),
    "connected": Meaning("gauge", "1 while Asterisk is heard and its picture is whole"),
    "ami_ping_seconds": Meaning("gauge", "how long Asterisk took to answer the last ping"),
    "events": Meaning("counter", "events that went into the engine"),
    "malformed_events": Meaning("counter", "events of Asterisk that could not be read"),
    "channels": Meaning("gauge", "channels in Asterisk"),
    "conversations": Meaning("gauge", "conversations now"),
    "recording": Meaning("gauge", "conversations that are to be recorded now"),
    "lanes": Meaning("gauge", "recorders on channels, one for each voice"),
    "decisions": Meaning("counter", "decisions, by mode", "mode"),
    "intervals": Meaning("counter", "stretches of talk that have ended, by outcome; FAULT- is a fault", "outcome"),
    "presses": Meaning("counter", "presses of the feature code and the like, by their outcome", "outcome"),
    "alarms": Meaning("counter", "alarms raised, by kind: docs/operations.md has them all", "kind"),
    "agi_sessions": Meaning("counter", "questions of the dialplan, by how they ended", "how"),
    "agi_session_seconds": Meaning("histogram", "from the dialplan's connection to the end of its answer"),
    "recorder_start_seconds": Meaning("histogram", "from the command to Asterisk's word that a recorder runs"),
    "database_away": Meaning("gauge", "1 while rows wait in the journal because the database is away"),
    "journal_rows": Meaning("gauge", "rows on disk in the journal that the database has not yet"),
    "cdrs_waiting": Meaning("gauge", "CDRs that are not matched to recordings yet"),
    "mixes_waiting": Meaning("gauge", "recordings of ended calls whose file is not made yet"),
    "policy_version": Meaning("gauge", "the version of policy in force"),
    "disk_free_bytes": Meaning("gauge", "what is free for recordings, by folder", "folder"),
    "disk_size_bytes": Meaning("gauge", "the disk's size, by folder", "folder"),
}  # fmt: skip

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Times:
    """Seconds that something took, in buckets. `observe` may be called in any one thread."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self._sum += seconds

    def family(self, name: str, says: str) -> HistogramMetricFamily:
        """As Prometheus has it: each bucket counts those of the smaller ones too."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return HistogramMetricFamily(name, says, buckets=buckets, sum_value=self._sum)


class Metrics(Collector):
    """`figures` gives a value for each of METRICS: a number, a mapping by the label's values, or `Times`."""

    def __init__(self, figures: Callable[[], Mapping[str, Any]]) -> None:
        self._figures = figures
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """One family for each figure. KeyError for one that METRICS does not know."""
        for name, value in self._figures().items():
            yield _family(f"recorderd_{name}", METRICS[name], value)

    def text(self) -> bytes:
        """In the text format."""
        return generate_latest(self._registry)


def _family(name: str, meaning: Meaning, value: Any) -> Metric:
    if isinstance(value, Times):
        return value.family(name, meaning.says)
    labels = [meaning.label] if meaning.label else []
    family: CounterMetricFamily | GaugeMetricFamily
    if meaning.kind == "counter":
        family = CounterMetricFamily(name, meaning.says, labels=labels)
    else:
        family = GaugeMetricFamily(name, meaning.says, labels=labels)
    for key, number in value.items() if labels else [("", value)]:
        family.add_metric([key] if labels else [], float(number))
    return family
