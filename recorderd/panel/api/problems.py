"""How a refusal looks to a machine: owns the one shape of every error."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from recorderd.errors import BucketFault, ControlError
from recorderd.panel.language import _
from recorderd.panel.ports import FaultyInput, Refused

log = logging.getLogger("recorderd.panel")

_CODES = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}


class Unavailable(Refused):
    """Something that the panel stands on does not answer."""

    status = 503
    code = "unavailable"


class Broken(Refused):
    """A fault of ours."""

    status = 500
    code = "broken"


def unavailable(error: Exception) -> Refused:
    """What to say when the store or the daemon does not answer; the log has its own words."""
    log.warning("%s", error)
    if isinstance(error, ControlError):
        return Unavailable(_("The recorder does not answer now. Your recordings are safe; try again soon."))
    if isinstance(error, BucketFault):
        return Unavailable(_("The object storage does not answer now. Try again soon."))
    return Unavailable(_("The database does not answer now. Try again soon."))


def broken() -> Refused:
    """What to say when we failed."""
    return Broken(_("Something went wrong here. It is in the log."))


def problem(refused: Refused) -> dict[str, Any]:
    """The body of the answer."""
    faults = refused.faults if isinstance(refused, FaultyInput) else {}
    return {"error": {"code": refused.code, "sentence": str(refused), "faults": faults}}


def answer(refused: Refused) -> JSONResponse:
    """The answer."""
    headers = {}
    if (seconds := getattr(refused, "retry_after", None)) is not None:
        headers["Retry-After"] = str(seconds)
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(problem(refused), refused.status, headers)


async def on_refused(_request: Request, error: Exception) -> JSONResponse:
    """Any error with a sentence."""
    return answer(error if isinstance(error, Refused) else unavailable(error))


async def on_invalid(_request: Request, error: Exception) -> JSONResponse:
    """What does not have the shape that the document says."""
    assert isinstance(error, RequestValidationError)
    faults = {".".join(map(str, fault["loc"])): str(fault["msg"]) for fault in error.errors()[:20]}
    return answer(FaultyInput(faults))


async def on_http(_request: Request, error: Exception) -> JSONResponse:
    """No such path, not this method, a body that is no JSON."""
    assert isinstance(error, HTTPException)
    refused = Refused(str(error.detail))
    refused.status = error.status_code
    refused.code = _CODES.get(error.status_code, "refused")
    told = answer(refused)
    told.headers.update(error.headers or {})
    return told


async def on_failure(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours."""
    log.error("%s failed", request.url.path, exc_info=error)
    return answer(broken())
