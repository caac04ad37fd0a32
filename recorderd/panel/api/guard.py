"""Who asks: owns the two ways to be known, and which of an operation's dangers the document tells of."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from recorderd.panel.api.schema import Problem
from recorderd.panel.door import check_token, signed_in
from recorderd.panel.language import _
from recorderd.panel.ports import Panel, Refused, Viewer
from recorderd.panel.sessions import COOKIE

# Only so that the document tells of them: the door has looked already.
_BEARER = Depends(HTTPBearer(auto_error=False, description="A token of /api/v1/tokens"))
_SESSION = Depends(
    APIKeyCookie(name=COOKIE, auto_error=False, description="A session; changes need X-CSRF-Token")
)


def _viewer(request: Request) -> Viewer:
    viewer = signed_in(request)
    check_token(request, request.headers.get("x-csrf-token", ""))
    if viewer.must_change:
        raise Refused(_("Choose a password first."))
    return viewer


def _newcomer(request: Request) -> Viewer:
    """Even one who has still to choose a password."""
    viewer = signed_in(request)
    check_token(request, request.headers.get("x-csrf-token", ""))
    return viewer


def _panel(request: Request) -> Panel:
    panel: Panel = request.app.state.panel
    return panel


Who = Annotated[Viewer, Depends(_viewer)]
Newcomer = Annotated[Viewer, Depends(_newcomer)]
Services = Annotated[Panel, Depends(_panel)]
DEPENDENCIES = [_BEARER, _SESSION]

_SAYS = {
    400: "The request cannot be read.",
    401: "Nobody is signed in.",
    403: "That is not his to do.",
    404: "It is not there, or not his to know of.",
    409: "Not as things are now.",
    413: "The request is too long.",
    422: "Something in the request cannot be used; `faults` says what, by field.",
    428: "A reason must be given first.",
    429: "Too many tries; Retry-After says how long to wait, in seconds.",
    503: "The database or the recorder does not answer.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": sentence} for status, sentence in _SAYS.items()
}
