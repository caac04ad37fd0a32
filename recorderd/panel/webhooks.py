"""Finished recordings and alarms, told to other machines: signed, in order, until they are taken.

Owns who is told, and how far each of them is. Must not know what finishes a recording: the outbox has a
line for each. At least once: whoever is told twice knows it by `id`. A receiver that is away is tried ever
more slowly, and given up on a line only after a day.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from recorderd.errors import StoreError
from recorderd.panel.audit import AuditTrail, new_id
from recorderd.panel.language import _
from recorderd.panel.ports import FaultyInput, NotFound, Right, Viewer
from recorderd.store.abc import AlarmRow, Store
from recorderd.store.panel import Told, WebhookRow
from recorderd.store.stories import FINISHED

log = logging.getLogger("recorderd.webhooks")

EVENTS = (FINISHED, "alarm")
EVERY_SECONDS = 2.0
_PATIENCE = 10.0
_GIVE_UP = 86_400.0
_SLOWEST = 300.0
_KEEP_OUTBOX = 30 * 86_400.0
_MOST = 20
# An alarm's row may be written a little after its time.
_LATE = 30.0


@dataclass(slots=True)
class _Trouble:
    """How it goes with one receiver: when it first failed, and when to try again."""

    since: float
    again: float
    tries: int = 1


class Hooks:
    """See `ports.Webhooks`; `run` tells."""

    def __init__(self, store: Store, audit: AuditTrail, clock: Callable[[], float]) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._trouble: dict[str, _Trouble] = {}
        self._told_alarms: dict[str, dict[str, None]] = {}

    # --- the administrator's hand ----------------------------------------------------------------

    async def list(self, viewer: Viewer) -> Sequence[Mapping[str, Any]]:
        await self._demand(viewer)
        return [_shown(row) for row in await self._store.panel.webhooks()]

    async def add(self, viewer: Viewer, url: str, events: Sequence[str]) -> Mapping[str, Any]:
        await self._demand(viewer)
        faults = {}
        if not _is_address(url):
            faults["url"] = _("That is not an address that begins with http:// or https://.")
        if not events or any(event not in EVENTS for event in events):
            faults["events"] = _("Choose what is to be told.")
        if len(await self._store.panel.webhooks()) >= _MOST:
            faults["url"] = _("There are too many webhooks: remove one.")
        if faults:
            raise FaultyInput(faults)
        now = self._clock()
        row = WebhookRow(
            id=new_id(now),
            url=url,
            secret=secrets.token_urlsafe(32),
            events=tuple(dict.fromkeys(events)),
            created_by=viewer.login,
            created_at=now,
            position=await self._store.panel.last_told(),
            alarm_at=now,
        )
        await self._audit.note(viewer, "webhook-added", row.id, {"host": urlsplit(url).hostname or ""})
        await self._store.save([row])
        return {**_shown(row), "secret": row.secret}

    async def remove(self, viewer: Viewer, id: str) -> None:
        await self._demand(viewer)
        if all(row.id != id for row in await self._store.panel.webhooks()):
            raise NotFound(_("There is no such webhook."))
        await self._audit.note(viewer, "webhook-removed", id)
        await self._store.panel.end_webhook(id)

    async def _demand(self, viewer: Viewer) -> None:
        if not viewer.may(Right.ADMINISTER):
            raise await self._audit.refused(viewer, Right.ADMINISTER, "webhooks")

    # --- telling ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell what there is to tell, until cancelled."""
        async with httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False) as client:
            while True:
                try:
                    await self.tell(client)
                except StoreError as error:
                    log.warning("%s", error)
                await asyncio.sleep(EVERY_SECONDS)

    async def tell(self, client: httpx.AsyncClient) -> None:
        """One round: every receiver, each in its own order, none waiting for another."""
        hooks = [hook for hook in await self._store.panel.webhooks() if hook.enabled and self._is_due(hook)]
        await asyncio.gather(*(self._tell(client, hook) for hook in hooks))
        await self._store.panel.forget_told(self._clock() - _KEEP_OUTBOX)

    def _is_due(self, hook: WebhookRow) -> bool:
        trouble = self._trouble.get(hook.id)
        return trouble is None or self._clock() >= trouble.again

    async def _tell(self, client: httpx.AsyncClient, hook: WebhookRow) -> None:
        for line in await self._store.panel.told(hook.position):
            if line.kind in hook.events and not await self._post(client, hook, await self._recording(line)):
                return
            await self._store.panel.change_webhook(hook.id, position=line.number)
        if "alarm" in hook.events:
            await self._tell_alarms(client, hook)

    async def _tell_alarms(self, client: httpx.AsyncClient, hook: WebhookRow) -> None:
        known = self._told_alarms.setdefault(hook.id, {})
        since = max(hook.created_at, hook.alarm_at - _LATE)
        for alarm in await self._store.alarms(since):
            if alarm.id in known or (alarm.at <= hook.alarm_at and not known):
                continue
            if not await self._post(client, hook, _alarm(alarm)):
                return
            known[alarm.id] = None
            for old in list(known)[:-1000]:
                del known[old]
            await self._store.panel.change_webhook(hook.id, alarm_at=max(hook.alarm_at, alarm.at))

    async def _recording(self, line: Told) -> Mapping[str, Any]:
        found = await self._store.recordings(id=line.object)
        told: dict[str, Any] = {"event": line.kind, "id": f"{line.kind}:{line.object}", "at": line.at}
        if not found:
            return {**told, "recording": {"id": line.object}}
        recording = found[0]
        spoken = await self._store.intervals(recording_id=recording.id)
        parties = {(p.extension, p.number, str(p.direction)): None for i in spoken for p in i.parties}
        return {
            **told,
            "recording": {
                "id": recording.id,
                "conversation": recording.conversation_id,
                "segment": recording.segment,
                "started_at": recording.started_at,
                "ended_at": recording.ended_at,
                "duration_ms": recording.duration_ms,
                "size": recording.size,
                "name": recording.name,
                "media": f"/api/v1/recordings/{recording.id}/media",
            },
            "parties": [{"extension": e, "number": n, "direction": d} for e, n, d in parties],
        }

    async def _post(self, client: httpx.AsyncClient, hook: WebhookRow, told: Mapping[str, Any]) -> bool:
        """Whether the next line may follow: it was taken, or is given up."""
        body = json.dumps(told, ensure_ascii=False).encode()
        stamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json",
            "X-Recorderd-Event": str(told["event"]),
            "X-Recorderd-Timestamp": stamp,
            "X-Recorderd-Signature": f"sha256={signature(hook.secret, stamp, body)}",
        }
        try:
            answer = await client.post(hook.url, content=body, headers=headers)
            why = "" if answer.is_success else f"it answered {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            why = str(error) or type(error).__name__
        now = self._clock()
        await self._store.panel.change_webhook(hook.id, last_at=now, last_error=why[:200])
        if not why:
            self._trouble.pop(hook.id, None)
            return True
        return self._give_up(hook, now, why)

    def _give_up(self, hook: WebhookRow, now: float, why: str) -> bool:
        trouble = self._trouble.get(hook.id)
        if trouble is None:
            log.warning("the webhook %s did not take what it was told: %s", urlsplit(hook.url).hostname, why)
            self._trouble[hook.id] = _Trouble(since=now, again=now + EVERY_SECONDS)
            return False
        trouble.tries += 1
        trouble.again = now + min(EVERY_SECONDS * 2.0 ** min(trouble.tries, 20), _SLOWEST)
        if now - trouble.since < _GIVE_UP:
            return False
        trouble.since = now
        return True


def signature(secret: str, stamp: str, body: bytes) -> str:
    """What a receiver computes too: HMAC-SHA256 of the stamp, a point and the body, in hexadecimal."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _alarm(row: AlarmRow) -> Mapping[str, Any]:
    alarm = {"id": row.id, "kind": row.kind, "sentence": row.sentence, "keys": dict(row.keys)}
    return {"event": "alarm", "id": f"alarm:{row.id}", "at": row.at, "alarm": alarm}


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
            and url.isprintable()
            and " " not in url
            and len(url) <= 1000
        )
    except ValueError:
        return False


def _shown(row: WebhookRow) -> Mapping[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "events": list(row.events),
        "enabled": row.enabled,
        "created_at": row.created_at,
        "last_at": row.last_at,
        "last_error": row.last_error,
    }
