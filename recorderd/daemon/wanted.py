"""Which recordings an export is about: owns the question. Must not know what is done with them."""

from __future__ import annotations

from recorderd.core.keeping import Subject
from recorderd.core.rows import Recording
from recorderd.store.abc import RECORDING_ENDS, Store

_PAGE = 500


async def wanted(
    store: Store, call: str, person: str, since: float | None, until: float | None
) -> list[Recording]:
    """The finished recordings that agree with all that is given, oldest first.

    `call` is the id of a recording or conversation, or a channel's uniqueid or linkedid.
    """
    found = await _of_call(store, call) if call else await store.recordings(since, until)
    done = [
        recording
        for recording in sorted(found, key=lambda r: (r.started_at, r.id))
        if recording.state in RECORDING_ENDS
        and (since is None or recording.started_at >= since)
        and (until is None or recording.started_at < until)
    ]
    return await _with_person(store, done, person) if person else done


async def _of_call(store: Store, call: str) -> list[Recording]:
    ids = {call} | {talk.id for talk in await store.conversations(linkedid=call)}
    ids |= {i.conversation_id for i in await store.intervals(uniqueid=call) if i.conversation_id}
    found = {recording.id: recording for recording in await store.recordings(id=call)}
    for id in sorted(ids):
        found |= {recording.id: recording for recording in await store.recordings(conversation_id=id)}
    return list(found.values())


async def _with_person(store: Store, recordings: list[Recording], person: str) -> list[Recording]:
    found = []
    for first in range(0, len(recordings), _PAGE):
        page = recordings[first : first + _PAGE]
        talk = await store.keeping.intervals_of([recording.id for recording in page])
        found += [
            recording
            for recording in page
            if person in Subject(recording=recording, intervals=tuple(talk.get(recording.id, ()))).people
        ]
    return found
