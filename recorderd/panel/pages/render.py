"""A template filled for one request: owns what every template may use.

Must not know what any page shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from recorderd.panel import language
from recorderd.panel.pages import sentences, told, words
from recorderd.panel.ports import Panel, Viewer

_ROOM = Path(__file__).parents[1]


def panel(request: Request) -> Panel:
    """Every service of the room."""
    found: Panel = request.app.state.panel
    return found


def viewer(request: Request) -> Viewer:
    """Who is signed in; only on pages that are not public."""
    found: Viewer = request.state.viewer
    return found


def partial_wanted(request: Request) -> bool:
    """Whether htmx asks for a piece of the page rather than for all of it."""
    return request.headers.get("HX-Request-Type") == "partial"


def see(path: str, **query: str) -> RedirectResponse:
    """After something was done: go there and look. 303, so that a reload does not do it again."""
    return RedirectResponse(path + _query(**query), status_code=303)


def show(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The template as an answer."""
    room = panel(request)
    common = {
        "request": request,
        "path": request.url.path,
        "viewer": request.state.viewer,
        "csrf": request.state.csrf,
        "language": language.current(),
        "languages": language.LANGUAGES,
        "now": room.clock(),
        **{name: partial(made, zone=room.zone) for name, made in _ZONED.items()},
    }
    html = _environment().get_template(template).render(common | values)
    # A page is somebody's own: no cache may keep it for another.
    return HTMLResponse(html, status, {"Cache-Control": "no-store", "Vary": "HX-Request-Type"})


_ZONED: Mapping[str, Any] = {
    "date": words.date,
    "time": words.time,
    "moment": words.moment,
    "iso": words.iso,
}


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ROOM / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(language._, language.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {"static": static, "words": words, "query": _query}
    made.filters |= {
        "size": words.size,
        "number": words.number,
        "clock": words.clock,
        "seconds": words.seconds,
        "hours": words.hours,
        "sentence": sentences.reader,
        "mode": partial(words.word, words.MODES),
        "outcome": partial(words.word, words.OUTCOMES),
        "result": partial(words.word, words.RESULTS),
        "way": partial(words.word, words.WAYS),
        "role": partial(words.word, words.ROLES),
        "right": partial(words.word, words.RIGHTS),
        "mark": partial(words.word, words.MARKS),
        "alarm": partial(words.word, told.ALARMS),
        "action": partial(words.word, told.ACTIONS),
        "details": told.details,
        "account_state": partial(words.word, words.ACCOUNT_STATES),
    }
    return made


def _query(**values: str | None) -> str:
    """The query of a link, without what is empty."""
    wanted = {k: v for k, v in values.items() if v}
    return f"?{urlencode(wanted)}" if wanted else ""


@cache
def static(name: str) -> str:
    """The address of a file that never changes under it: a new content is a new address."""
    digest = hashlib.sha256((_ROOM / "static" / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"
