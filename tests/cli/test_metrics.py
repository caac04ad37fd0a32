"""The metrics of the real daemon: each that has a name is told, and none has no name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from recorderd.ami.fake import FakeAsterisk
from recorderd.control.client import ControlClient
from recorderd.core.rows import Outcome
from recorderd.daemon.metrics import METRICS, Metrics, Times
from tests.cli.conftest import Program
from tests.cli.test_check import asterisk, configure
from tests.cli.test_run import free_port, running, until

DASHBOARD = Path(__file__).resolve().parents[2] / "config" / "grafana-dashboard.json"
# Without a sample until there was one.
SELDOM = {"presses", "alarms", "agi_sessions"}


def test_the_daemon_tells_every_metric_and_none_without_a_meaning(program: Program) -> None:
    for folder in ("monitor", "lanes"):
        program.folder.joinpath(folder).mkdir()
    with asterisk(FakeAsterisk()) as fake:
        configure(program, fake.port, more=f"agi: {{port: {free_port()}}}\n")
        with running(program):
            client = ControlClient(program.socket)
            until(lambda: "disk_free_bytes{" in client.metrics(), "the disks are asked")
            until(lambda: "recorderd_ami_ping_seconds 0.0\n" not in client.metrics(), "a ping came back")
            assert client.health()["ok"] is True
            families = {f.name: f for f in text_string_to_metric_families(client.metrics())}
    assert set(families) == {f"recorderd_{name}" for name in METRICS}
    assert {name for name in METRICS if not families[f"recorderd_{name}"].samples} <= SELDOM
    for name, meaning in METRICS.items():
        family = families[f"recorderd_{name}"]
        assert (family.type, family.documentation) == (meaning.kind, meaning.says)
        assert all(set(s.labels) <= {meaning.label, "le"} for s in family.samples)
    outcomes = {s.labels["outcome"]: s.value for s in families["recorderd_intervals"].samples}
    assert outcomes == {str(outcome): 0.0 for outcome in Outcome}


def test_times_are_counted_in_buckets_that_hold_the_smaller_ones() -> None:
    times = Times()
    for seconds in (0.001, 0.02, 0.02, 60.0):
        times.observe(seconds)
    text = Metrics(lambda: {"agi_session_seconds": times}).text().decode()
    for sample in ('bucket{le="0.001"} 1.0', 'bucket{le="0.025"} 3.0', 'bucket{le="+Inf"} 4.0', "count 4.0"):
        assert f"recorderd_agi_session_seconds_{sample}\n" in text
    assert "recorderd_agi_session_seconds_sum 60.041\n" in text


def test_a_figure_without_a_meaning_is_refused() -> None:
    with pytest.raises(KeyError, match="luck"):
        Metrics(lambda: {"luck": 1}).text()


def queries() -> list[tuple[str, str]]:
    """Each panel's title and one of its queries."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize(("title", "query"), queries())
def test_each_query_of_the_dashboard_names_a_metric_and_a_label_that_exist(title: str, query: str) -> None:
    behind = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    known = {f"recorderd_{n}{end}": m for n, m in METRICS.items() for end in behind[m.kind]}
    named = re.findall(r"recorderd_\w+", query)
    assert named, title
    assert set(named) <= known.keys()
    labels = {known[name].label for name in named} | {"le", "instance"}
    for group in re.findall(r"by \(([^)]*)\)", query):
        assert {word.strip() for word in group.split(",")} <= labels
    for inside in re.findall(r"\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)\s*[=!]", inside)) <= labels
