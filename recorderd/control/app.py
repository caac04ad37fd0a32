"""Paths and their answers: owns the HTTP side of the control interface.

Must not know the daemon beyond `ports.Daemon`. Every answer is JSON, an error is `{"error": sentence}`;
/metrics alone is text.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from recorderd import __version__
from recorderd.control import door
from recorderd.control.door import Field, Refused
from recorderd.control.ports import ACTIONS, Daemon, NotFound
from recorderd.core import events
from recorderd.errors import AmiError, ConfigError, RecorderdError, StoreError

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Answer = Callable[[Request], Awaitable[Any]]

# The first line that fits says what an error is in HTTP.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, 404),
    (ConfigError, 422),
    (AmiError, 502),
    (StoreError, 503),
    (RecorderdError, 409),
    (TimeoutError, 504),
)

PRESS = {
    "action": Field(door.one_of(*ACTIONS), required=True),
    "target": Field(door.named),
    "uniqueid": Field(door.named),
    "by": Field(door.named, required=True),
    "source": Field(door.named, required=True),
    "reason": Field(door.text, ""),
}
CONSULT = {
    "uniqueid": Field(door.named, required=True),
    "channel": Field(door.named, required=True),
    "linkedid": Field(door.text, ""),
    "caller_id_num": Field(door.text, ""),
    "exten": Field(door.text, ""),
    "context": Field(door.text, ""),
    "callees": Field(door.texts, ()),
    "monitored": Field(door.flag, False),
}
EXPLAIN = {
    "caller": Field(door.named, required=True),
    "callee": Field(door.named, required=True),
    "at": Field(door.time),
    "did": Field(door.text, ""),
    "trunk": Field(door.text, ""),
    "context": Field(door.text, ""),
    "pressed": Field(door.flag, False),
}


def make_app(daemon: Daemon, clock: Callable[[], float]) -> Starlette:
    """The control interface over this daemon; `clock` gives seconds since the epoch."""
    paths = _Paths(daemon, clock)
    table: dict[str, tuple[str, Answer]] = {
        "/v1/status": ("GET", paths.status),
        "/v1/calls": ("GET", paths.calls),
        "/v1/policy": ("GET", paths.policy),
        "/v1/press": ("POST", paths.press),
        "/v1/consult": ("POST", paths.consult),
        "/v1/armed": ("POST", paths.armed),
        "/v1/explain": ("POST", paths.explain),
        "/v1/reload": ("POST", paths.reload),
    }
    routes = [Route(path, _answering(answer), methods=[verb]) for path, (verb, answer) in table.items()]
    routes.append(Route("/health", paths.health, methods=["GET"]))
    routes.append(Route("/metrics", paths.metrics, methods=["GET"]))
    handlers: Any = {HTTPException: _refused_by_starlette}
    return Starlette(routes=routes, exception_handlers=handlers)


class _Paths:
    """One method for each path: read the body at the door, ask the daemon, give back plain data."""

    def __init__(self, daemon: Daemon, clock: Callable[[], float]) -> None:
        self.daemon = daemon
        self.clock = clock

    async def health(self, _request: Request) -> Response:
        """200 while all is well, and 503 with the reason: for whoever only looks at the status."""
        troubles = self.daemon.troubles()
        answer = {"ok": not troubles, "version": __version__}
        return _json(503, answer | {"error": "; ".join(troubles)}) if troubles else _json(200, answer)

    async def status(self, _request: Request) -> object:
        return self.daemon.status()

    async def calls(self, _request: Request) -> object:
        return {"calls": list(self.daemon.calls())}

    async def policy(self, _request: Request) -> object:
        return {"version": self.daemon.policy_version()}

    async def press(self, request: Request) -> object:
        asked = await door.body(request, PRESS)
        target, uniqueid = asked.pop("target"), asked.pop("uniqueid")
        if (target is None) is (uniqueid is None):
            raise Refused(422, "give either target or uniqueid")
        return await self.daemon.press(target=target or uniqueid, **asked)

    async def consult(self, request: Request) -> object:
        asked = await door.body(request, CONSULT)
        return self.daemon.consult(events.Consult(at=self.clock(), **asked))

    async def armed(self, request: Request) -> object:
        asked = await door.body(request, {"uniqueid": Field(door.named, required=True)})
        return {"armed": await self.daemon.armed(asked["uniqueid"])}

    async def explain(self, request: Request) -> object:
        asked = await door.body(request, EXPLAIN)
        if asked["at"] is None:
            asked["at"] = self.clock()
        return self.daemon.explain(asked)

    async def reload(self, request: Request) -> object:
        await door.body(request, {})
        return await self.daemon.reload()

    async def metrics(self, _request: Request) -> Response:
        return Response(self.daemon.metrics(), media_type=METRICS_TYPE)


def _answering(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """The answer as JSON, whatever happens while it is sought."""

    async def endpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return _json(200, await answer(request))
        except Refused as refused:
            return _json(refused.status, {"error": str(refused)})
        except tuple(kind for kind, _ in STATUSES) as error:
            status = next(status for kind, status in STATUSES if isinstance(error, kind))
            late = f"no answer within {ANSWER_SECONDS:.0f} s"
            return _json(status, {"error": late if isinstance(error, TimeoutError) else str(error)})
        except Exception:
            log.exception("the control request %s failed", request.url.path)
            return _json(500, {"error": "recorderd failed to answer; its log says why"})

    return endpoint


async def _refused_by_starlette(request: Request, error: HTTPException) -> Response:
    """An unknown path, or a known one with another method."""
    path = request.url.path[:100]
    sentences = {404: f"there is no {path}", 405: f"{path} does not take {request.method}"}
    sentence = sentences.get(error.status_code, str(error.detail))
    return _json(error.status_code, {"error": sentence}, error.headers)


def _json(status: int, data: object, headers: Any = None) -> Response:
    """ASCII JSON, since a name may hold bytes that were no UTF-8 (surrogateescape)."""
    return Response(json.dumps(data, default=str), status, headers, media_type="application/json")
