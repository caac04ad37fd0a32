"""The paths below /media, for the pages' players: owns their shape. The API has the same beneath its own."""

from __future__ import annotations

import json

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from recorderd.panel.door import check_token, signed_in
from recorderd.panel.language import _
from recorderd.panel.media import Listening
from recorderd.panel.ports import FaultyInput, Refused, Viewer

_MOST_JSON = 64 * 1024


def media_routes(listening: Listening) -> list[BaseRoute]:
    """`/media/{id}`, and `/download`, `/peaks`, `/heard` below it."""

    async def play(request: Request) -> Response:
        return await listening.play(_viewer(request), request.path_params["id"], request.headers, save=False)

    async def download(request: Request) -> Response:
        return await listening.play(_viewer(request), request.path_params["id"], request.headers, save=True)

    async def peaks(request: Request) -> Response:
        found = await listening.peaks(_viewer(request), request.path_params["id"])
        return JSONResponse(found, headers={"Cache-Control": "private, max-age=3600"})

    async def heard(request: Request) -> Response:
        viewer = _viewer(request)
        check_token(request, request.headers.get("x-csrf-token", ""))
        try:
            body = await request.body()
        except ClientDisconnect:
            # A page that is closed sends what it has, and does not wait.
            return Response(status_code=204)
        await listening.heard(viewer, request.path_params["id"], read_ranges(body))
        return Response(status_code=204)

    return [
        Route("/media/{id}", play, methods=["GET"]),
        Route("/media/{id}/download", download, methods=["GET"]),
        Route("/media/{id}/peaks", peaks, methods=["GET"]),
        Route("/media/{id}/heard", heard, methods=["POST"]),
    ]


def _viewer(request: Request) -> Viewer:
    viewer = signed_in(request)
    if viewer.must_change:
        raise Refused(_("Choose a password first."))
    return viewer


def read_ranges(body: bytes) -> list[tuple[int, int]]:
    """The pairs of `{"ranges": [[from_ms, to_ms], ...]}`. FaultyInput for anything else."""
    try:
        if len(body) > _MOST_JSON:
            raise ValueError
        pairs = json.loads(body)["ranges"]
        return [(_whole(first), _whole(last)) for first, last in pairs]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FaultyInput({"ranges": _("Ranges are pairs of milliseconds within the recording.")}) from None


def _whole(number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 1e9:
        raise ValueError
    return int(number)
