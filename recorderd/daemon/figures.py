"""What the daemon counts, read from where each figure is kept anyway: a value for each of `metrics.METRICS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recorderd import __version__
from recorderd.core.policy import Mode
from recorderd.core.rows import Outcome

if TYPE_CHECKING:
    from recorderd.daemon.service import Service


def figures(service: Service) -> dict[str, Any]:
    """As they are at this moment."""
    engine = service.board.engine
    talks = [talk for talk in engine.talks.talks.values() if talk.members]
    return {
        "info": {__version__: 1},
        "start_time_seconds": service.started_at,
        "connected": service.link.connected,
        "ami_ping_seconds": service.link.ping_seconds,
        "events": service.board.events,
        "malformed_events": service.link.malformed,
        "channels": len(engine.calls.channels),
        "conversations": len(talks),
        "recording": sum(1 for talk in talks if talk.wanted),
        "lanes": len(engine.lanes.by_id),
        # With those of which there was none yet: only so does a first fault show as an increase.
        "decisions": dict.fromkeys(Mode, 0) | service.board.decisions,
        "intervals": dict.fromkeys(Outcome, 0) | service.board.outcomes,
        "presses": service.board.presses,
        "alarms": service.alarms.counts,
        "agi_sessions": service.agi.counts(),
        "agi_session_seconds": service.agi_times,
        "recorder_start_seconds": service.recorder_times,
        "database_away": service.journal_away,
        "journal_rows": service.journal.lag,
        "cdrs_waiting": service.clerk.waiting,
        "mixes_waiting": service.archive.waiting,
        "policy_version": engine.policy.version,
        "disk_free_bytes": service.disks.free(),
        "disk_size_bytes": service.disks.size(),
    }
