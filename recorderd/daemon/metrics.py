"""Prometheus: what the daemon counts, asked for when somebody looks.

Owns the names of the metrics. Must not be asked for anything in the call path: every figure is read from
where it is kept anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Metrics(Collector):
    """`figures` gives gauges as numbers and counters as mappings from a label's value to a number."""

    def __init__(self, figures: Callable[[], dict[str, Any]]) -> None:
        self._figures = figures
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """One family for each figure."""
        for name, value in self._figures().items():
            if isinstance(value, dict):
                label, _, metric = name.partition(":")
                family = CounterMetricFamily(f"recorderd_{metric}", f"{metric}, by {label}", labels=[label])
                for key, number in value.items():
                    family.add_metric([key], number)
                yield family
            else:
                yield GaugeMetricFamily(f"recorderd_{name}", name.replace("_", " "), value=float(value))

    def text(self) -> bytes:
        """In the text format."""
        return generate_latest(self._registry)
