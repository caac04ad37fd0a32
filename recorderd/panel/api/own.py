"""Oneself: sign in and out, password, language, policy, sessions, tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Path, Request, Response

from recorderd.panel.api import schema
from recorderd.panel.api.guard import Newcomer, Services, Who
from recorderd.panel.door import check_token
from recorderd.panel.ports import Choice, OwnPolicy, Session, Signed, Viewer

router = APIRouter(tags=["own"])


@router.post("/session")
async def sign_in(request: Request, response: Response, asked: schema.SignIn, panel: Services) -> schema.Me:
    """Sign in with a password or a one-time code: sets the session's cookie.

    Needs the header X-CSRF-Token as well, with the token that `GET /session` gives.
    """
    check_token(request, request.headers.get("x-csrf-token", ""))
    signed = await panel.entrance.sign_in(
        asked.login,
        asked.secret,
        language=asked.language,
        address=request.client.host if request.client else "",
        agent=request.headers.get("user-agent", ""),
    )
    return _signed(panel, response, signed)


@router.get("/session")
async def visitor(request: Request) -> dict[str, str]:
    """The CSRF token of this session, or of a visitor who wants to sign in."""
    return {"csrf": request.state.csrf}


@router.delete("/session", status_code=204)
async def sign_out(response: Response, viewer: Newcomer, panel: Services) -> None:
    """End this session."""
    await panel.sessions.end(viewer, response)


@router.put("/password")
async def change_password(
    response: Response, asked: schema.NewPassword, viewer: Newcomer, panel: Services
) -> schema.Me:
    """Every other session ends; this one gets a new cookie and a new CSRF token."""
    signed = await panel.entrance.change_password(viewer, asked.old, asked.new, asked.new)
    return _signed(panel, response, signed)


@router.get("/me")
async def me(request: Request, viewer: Newcomer) -> schema.Me:
    """Who asks, and what he may."""
    return _me(viewer, request.state.csrf)


@router.put("/me/language", status_code=204)
async def language(asked: schema.Language, viewer: Who, panel: Services) -> None:
    """The language of pages and sentences."""
    await panel.entrance.set_language(viewer, asked.language)


@router.get("/settings")
async def settings(viewer: Who, panel: Services) -> OwnPolicy:
    """Whether one's own calls are recorded."""
    return await panel.settings.own(viewer)


@router.put("/settings")
async def choose(asked: schema.Chosen, viewer: Who, panel: Services) -> OwnPolicy:
    """Choose; in force within a second. 409, with the administrator's reason, where it is locked."""
    return await panel.settings.choose(viewer, Choice(**dict(asked)))


@router.get("/sessions")
async def sessions(viewer: Who, panel: Services) -> Sequence[Session]:
    """One's own sessions, newest first."""
    return await panel.sessions.list(viewer)


@router.delete("/sessions/{id}", status_code=204)
async def revoke(viewer: Who, panel: Services, id: str = Path(max_length=64)) -> None:
    """End one of them."""
    await panel.sessions.revoke(viewer, id)


@router.get("/tokens", response_model=list[schema.Token])
async def tokens(viewer: Who, panel: Services) -> Sequence[Mapping[str, Any]]:
    """One's own keys for machines."""
    return await panel.tokens.list(viewer)


@router.post("/tokens", status_code=201)
async def add_token(asked: schema.WantedToken, viewer: Who, panel: Services) -> schema.NewToken:
    """A new key, shown once."""
    return schema.NewToken(token=await panel.tokens.add(viewer, asked.name, asked.scopes, asked.days))


@router.delete("/tokens/{id}", status_code=204)
async def revoke_token(viewer: Who, panel: Services, id: str = Path(max_length=64)) -> None:
    """It ends at once."""
    await panel.tokens.revoke(viewer, id)


def _signed(panel: Services, response: Response, signed: Signed) -> schema.Me:
    panel.sessions.remember(response, signed)
    return _me(signed.viewer, signed.csrf)


def _me(viewer: Viewer, csrf: str) -> schema.Me:
    return schema.Me(
        login=viewer.login,
        name=viewer.name,
        role=viewer.role,
        extension=viewer.extension,
        scope=None if viewer.scope is None else sorted(viewer.scope),
        rights=sorted(viewer.rights),
        language=viewer.language,
        needs_reason=viewer.needs_reason,
        must_change=viewer.must_change,
        csrf=csrf,
    )
