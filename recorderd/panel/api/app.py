"""The API's own application: owns which paths there are. Each module below has a router."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from recorderd import __version__
from recorderd.errors import RecorderdError
from recorderd.panel.api import calls, own, people, policy, problems, recordings, watch
from recorderd.panel.api.guard import DEPENDENCIES, PROBLEMS
from recorderd.panel.media import Listening
from recorderd.panel.ports import Panel

PREFIX = "/api/v1"
_ROUTERS: tuple[APIRouter, ...] = (
    own.router,
    calls.router,
    recordings.router,
    people.router,
    policy.router,
    watch.router,
)


def make_app(panel: Panel, listening: Listening) -> FastAPI:
    """To be mounted at PREFIX, behind the door."""
    app = FastAPI(
        title="recorderd",
        version=__version__,
        description="Calls, recordings, policy and the proof. Times are seconds since the epoch, UTC.",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": PREFIX}],
        root_path_in_servers=False,
        redirect_slashes=False,
        dependencies=DEPENDENCIES,
        responses=PROBLEMS,
    )
    for router in _ROUTERS:
        app.include_router(router)
    app.state.panel = panel
    app.state.listening = listening
    app.add_exception_handler(RecorderdError, problems.on_refused)
    app.add_exception_handler(RequestValidationError, problems.on_invalid)
    app.add_exception_handler(HTTPException, problems.on_http)
    app.add_exception_handler(Exception, problems.on_failure)
    return app
