"""Recorders of others: every MixMonitor on a channel that is not ours.

Owns what is known of each, and that one is stopped by its own id and never one of ours. Must not know policy: the
engine says which is stopped and which is taken for a conversation's recording. Asterisk's events name no recorder,
so its id and its file are read from the variables of its channel as soon as it starts (FreePBX sets them).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recorderd.core import commands, events
from recorderd.core.calls import Calls
from recorderd.core.outbox import Outbox

# StopForeign has no answer but the events.
_ASK_AGAIN = 5.0
# So long what the channel's variables say of it is waited for.
_UNKNOWN_FOR = 0.5
# What may stand below our own folder and be spoken of everywhere; no dot in front, so no `..`.
_FILE = re.compile(r"(?:[A-Za-z0-9_+@=~-][A-Za-z0-9_.+@=~-]*/)*[A-Za-z0-9_+@=~-][A-Za-z0-9_.+@=~-]*\.wav")
# Files that others wrote are remembered: one that is written to again by another recorder is not answered for, and no
# file of ours gets such a name.
_REMEMBERED = 1000


@dataclass(slots=True, eq=False)
class ForeignRecorder:
    """Somebody else's MixMonitor on a channel. `ids` are the MixMonitorIDs it may have, the likeliest first.

    `foretold`: the dialplan spoke of it, and Asterisk's event of its start is still to come. `asked_at`: what it is was
    asked then and not answered yet; `unanswered`: nor will be. `heard`: we were told of its start, and its file is new.
    `linked`: its file was taken for a recording. `failed`: that file does not come, or does not grow.
    `stopping_since`: its stop was asked for. `ended_at` is when it was over. `not_alone`: nobody told us for a while,
    so that another may run beside it. `taken_until`: it is from before a restart, and what had taken its file was over
    then already; whether it runs still is not known.
    """

    uniqueid: str
    ids: tuple[str, ...] = ()
    path: str = ""
    foretold: bool = False
    asked_at: float | None = None
    unanswered: bool = False
    heard: bool = True
    linked: bool = False
    failed: bool = False
    stopping_since: float | None = None
    ended_at: float | None = None
    not_alone: bool = False
    taken_until: float | None = None

    def __str__(self) -> str:
        return f"another's recorder on {self.uniqueid}: {self.path or 'file unknown'}"


class ForeignRecorders:
    """All that run, by channel. `monitor` is the folder below which a file can be taken for a recording."""

    def __init__(self, calls: Calls, out: Outbox, monitor: str) -> None:
        self._calls = calls
        self._out = out
        self._below = f"{monitor}/"
        self._on: dict[str, list[ForeignRecorder]] = {}
        self._watched: dict[str, ForeignRecorder] = {}
        self._growing: dict[str, bool] = {}
        self._files: dict[str, None] = {}

    # --- questions -----------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self._on)

    @property
    def channels(self) -> set[str]:
        """Those on which one runs."""
        return set(self._on)

    def on(self, uniqueid: str) -> tuple[ForeignRecorder, ...]:
        """Those on a channel, oldest first."""
        return tuple(self._on.get(uniqueid, ()))

    def between(self, uniqueid: str) -> Iterator[str]:
        """The Local channels and the like through which this channel's conversation goes, and their other halves.

        A recorder on one of them hears the conversation too.
        """
        start = self._calls.channels.get(uniqueid)
        todo = [start.bridge] if start and start.bridge else []
        seen = set(todo)
        while todo:
            bridge = self._calls.bridges.get(todo.pop() or "")
            for member in bridge.members if bridge else ():
                channel = self._calls.channels.get(member)
                if channel is None or channel.real:
                    continue
                yield member
                other = self._calls.other_half(channel)
                if other is None:
                    continue
                yield other.uniqueid
                if other.bridge and other.bridge not in seen:
                    seen.add(other.bridge)
                    todo.append(other.bridge)

    def place(self, path: str) -> tuple[str, str] | None:
        """(folder below ours, name) of a file that can be taken for a recording; None for any other."""
        below = path.removeprefix(self._below)
        if below == path or not _FILE.fullmatch(below):
            return None
        folder, _, name = below.rpartition("/")
        return folder, name

    def can_be_linked(self, recorder: ForeignRecorder) -> bool:
        """We were told when it began, it can be stopped, and its file is one that we can answer for.

        A file that was taken once is not taken again: it is one recording.
        """
        known = recorder.heard and not recorder.linked and recorder.asked_at is None and bool(recorder.ids)
        sound = not recorder.failed and recorder.stopping_since is None and recorder.ended_at is None
        return known and sound and self.place(recorder.path) is not None

    def wrote(self, folder: str, name: str) -> bool:
        """Somebody else has a file of this name below our folder."""
        return bool(self._files) and f"{self._below}{folder}/{name}" in self._files

    def unknown(self, uniqueid: str) -> bool:
        """One has just begun there, and what it is has been asked and not answered."""
        return any(recorder.asked_at is not None for recorder in self._on.get(uniqueid, ()))

    def hears(self, uniqueids: Iterable[str]) -> bool:
        """One records a talk of these channels, on one of them or in between."""
        return bool(self._on) and any(
            self._on.get(u) or any(b in self._on for b in self.between(u)) for u in uniqueids
        )

    def file_on(self, uniqueid: str) -> str:
        """The file of one on this channel that was taken for a recording, empty for none."""
        return next((r.path for r in self._on.get(uniqueid, ()) if r.linked), "")

    def watched(self, recording_id: str) -> ForeignRecorder | None:
        """The one whose file is watched for this recording."""
        return self._watched.get(recording_id)

    # --- orders --------------------------------------------------------------------------------

    def stop(
        self, recorder: ForeignRecorder, at: float, *, newest: bool, ours: frozenset[str] = frozenset()
    ) -> None:
        """Stop it by its id. `newest`: none of ours is on the channel, so where the id is not known the newest may
        go, as Asterisk does without an id. `ours`: ids that may have been its, and are ours now."""
        if recorder.stopping_since is not None or recorder.asked_at is not None:
            return
        ids = tuple(i for i in recorder.ids if i not in ours)
        if ids or newest:
            recorder.stopping_since = at
            self._out.do(commands.StopForeign(uniqueid=recorder.uniqueid, mixmonitor_ids=ids, newest=newest))

    def take(self, recorder: ForeignRecorder) -> None:
        """Its file is a recording from now on."""
        recorder.linked = True
        self._remember(recorder.path)

    def _remember(self, path: str) -> None:
        self._files[path] = None
        if len(self._files) > _REMEMBERED:
            del self._files[next(iter(self._files))]

    def watch(self, recording_id: str, recorder: ForeignRecorder, growing: bool) -> None:
        """Its file must be there, and grow while people talk."""
        self._watched[recording_id] = recorder
        if self._growing.get(recording_id) is not growing:
            self._growing[recording_id] = growing
            path = recorder.path
            self._out.do(commands.Watch(lane_id=recording_id, path=path, growing=growing, notes=False))

    def unwatch(self, recording_id: str) -> None:
        """The recording takes nothing more from it."""
        self._watched.pop(recording_id, None)
        if self._growing.pop(recording_id, None) is not None:
            self._out.do(commands.Unwatch(lane_id=recording_id))

    # --- facts ---------------------------------------------------------------------------------

    def started(self, event: events.MixMonitorStart) -> None:
        """One begins: ask what it is."""
        self._begin(event)

    def foretold(self, event: events.Consult) -> None:
        """One began before the dialplan asked us: unless we know of it, its event comes after the question.

        Two connections race here. Without this one of ours would be started in between: by then nobody could tell any
        more which file the other writes, for ours empties MIXMONITOR_FILENAME.
        """
        channel = self._calls.channels.get(event.uniqueid)
        if channel is not None and not channel.monitored:
            self._begin(event, foretold=True)

    def was_foretold(self, event: events.MixMonitorStart) -> bool:
        """It is of the one of which the dialplan told before: that is known by now."""
        for recorder in self._on.get(event.uniqueid, ()):
            if recorder.foretold:
                recorder.foretold = False
                return True
        return False

    def _begin(self, event: events.MixMonitorStart | events.Consult, *, foretold: bool = False) -> None:
        if channel := self._calls.channels.get(event.uniqueid):
            channel.monitored = True
            recorder = ForeignRecorder(event.uniqueid, asked_at=event.at, foretold=foretold)
            self._on.setdefault(event.uniqueid, []).append(recorder)
            self._out.do(commands.LookAtForeign(uniqueid=event.uniqueid))

    def runs_after_all(self, uniqueid: str) -> None:
        """A recorder that we had started and know no longer: like somebody else's without a name."""
        self._on.setdefault(uniqueid, []).append(ForeignRecorder(uniqueid))

    def seen(self, event: events.ForeignSeen) -> set[str]:
        """What the channel's variables say: that is of the newest."""
        for recorder in reversed(self._on.get(event.uniqueid, ())):
            if recorder.asked_at is not None:
                recorder.asked_at = None
                recorder.heard = event.path not in self._files
                self._name(recorder, event.mixmonitor_ids, event.path)
                return {event.uniqueid}
        return set()

    def stopped(self, uniqueid: str, at: float, *, perhaps_ours: bool) -> bool:
        """One was stopped, and the event does not say which; whether there was one at all.

        Where it may be ours that was stopped, theirs is taken to run on if it can be stopped by its id.
        """
        there = self._on.get(uniqueid, [])
        gone = next((r for r in there if r.stopping_since is not None), there[0] if there else None)
        if gone is None:
            return False
        asked = gone.stopping_since is not None
        if asked and gone.not_alone and not gone.ids:
            gone.stopping_since = None  # the newest went, perhaps another: until Asterisk knows of none
            return True
        runs_on = not asked and perhaps_ours and bool(gone.ids)
        if not asked and (len(there) > 1 or runs_on):
            for recorder in there:  # of several nobody can tell which is left
                recorder.failed = True
        if not runs_on:
            self._end(gone, at)
        return True

    def gone(self, event: events.ForeignGone) -> set[str]:
        """Asterisk knows of none there, or of none by that id: then only the newest may be stopped, if at all."""
        for recorder in [r for r in self._on.get(event.uniqueid, ()) if r.stopping_since is not None]:
            if event.nameless:
                recorder.ids, recorder.stopping_since = (), None
            else:
                self._end(recorder, event.at)
        return {event.uniqueid}

    def file_failed(self, recording_id: str) -> ForeignRecorder | None:
        """The file of a recording that was taken from another is not what it should be."""
        recorder = self._watched.get(recording_id)
        if recorder is not None:
            recorder.failed = True
        return recorder

    def hangup(self, uniqueid: str, at: float) -> None:
        """The channel is gone, and every recorder on it."""
        for recorder in self.on(uniqueid):
            self._end(recorder, at)

    def moved(self, event: events.Pickup) -> None:
        """A recorder on a channel that is picked up walks over to who picks up (asterisk-facts 2.8)."""
        for recorder in self._on.pop(event.target_uniqueid, ()):
            recorder.uniqueid = event.uniqueid
            recorder.heard = False
            self._on.setdefault(event.uniqueid, []).append(recorder)

    def due(self, at: float) -> set[str]:
        """Channels on which one would not stop and may be asked again, or of which nobody told what it is."""
        touched = set()
        for uniqueid, there in self._on.items():
            for recorder in there:
                if recorder.asked_at is not None and recorder.asked_at + _UNKNOWN_FOR <= at:
                    recorder.asked_at = None
                    touched.add(uniqueid)
                if recorder.stopping_since is not None and recorder.stopping_since + _ASK_AGAIN <= at:
                    recorder.stopping_since = None
                    touched.add(uniqueid)
        return touched

    # --- the link, and restarts ----------------------------------------------------------------

    def deaf(self) -> None:
        """The link is lost: what was asked will not be answered."""
        for there in self._on.values():
            for recorder in there:
                recorder.unanswered = recorder.unanswered or recorder.asked_at is not None
                recorder.asked_at = recorder.stopping_since = None
                recorder.foretold = False
                recorder.not_alone = True
                recorder.heard = False  # its channel may talk with others now, and they are in its file

    def restore(self, path: str, uniqueids: Iterable[str], taken_until: float | None) -> ForeignRecorder:
        """The recorder of a recording from before a restart: on one of these channels, the first `Resync` tells on
        which. `taken_until`: the recording takes nothing more, and it may be over, or was still to be stopped."""
        recorder = ForeignRecorder(next(iter(uniqueids), ""), path=path, heard=False, taken_until=taken_until)
        self._on.setdefault(recorder.uniqueid, []).append(recorder)
        self.take(recorder)
        return recorder

    def adopt(self, channels: Iterable[events.LiveChannel], at: float) -> None:
        """Take what all live channels' variables say; one whose channel is gone has ended with it."""
        listed = {live.uniqueid: live for live in channels}
        for channel in filter(None, map(self._calls.channels.get, listed)):
            channel.monitored = True
        lost = {r.path: r for there in self._on.values() for r in there if r.path}
        for live in listed.values():
            if not live.foreign_file and not live.foreign_ids:
                continue
            known = lost.get(live.foreign_file) if live.foreign_file else None
            if known is not None and known.uniqueid != live.uniqueid:
                self._drop(known)
                known.uniqueid = live.uniqueid
                self._on.setdefault(live.uniqueid, []).append(known)
            there = self._on.setdefault(live.uniqueid, [])
            same = (r for r in there if r.unanswered or set(r.ids) & set(live.foreign_ids))
            named = known or next(same, None)
            if named is None:  # it began unheard, and what we knew of may run on beside it
                named = ForeignRecorder(live.uniqueid, heard=False)
                there.append(named)
            self._name(named, live.foreign_ids, live.foreign_file)
        for recorder in [r for there in self._on.values() for r in there]:
            where = listed.get(recorder.uniqueid)
            until, recorder.taken_until = recorder.taken_until, None
            if where is None or (until is not None and where.foreign_file != recorder.path):
                self._end(recorder, at if until is None else until)

    def _name(self, recorder: ForeignRecorder, ids: tuple[str, ...], path: str) -> None:
        recorder.unanswered = False
        recorder.ids = ids or recorder.ids
        recorder.path = recorder.path if recorder.linked else path or recorder.path
        if recorder.path:
            self._remember(recorder.path)

    def _end(self, recorder: ForeignRecorder, at: float) -> None:
        recorder.ended_at = at
        self._drop(recorder)

    def _drop(self, recorder: ForeignRecorder) -> None:
        there = self._on.get(recorder.uniqueid, [])
        if recorder in there:
            there.remove(recorder)
        if not there:
            self._on.pop(recorder.uniqueid, None)
