"""Who may sign in, and whom to tell: users and webhooks, for administrators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel

from recorderd.panel.api import schema
from recorderd.panel.api.guard import Services, Who
from recorderd.panel.ports import Account

router = APIRouter(tags=["people"])

Login = Annotated[str, Path(max_length=100)]


@router.get("/users")
async def users(viewer: Who, panel: Services) -> Sequence[Account]:
    """Everybody, by login."""
    return await panel.accounts.list(viewer)


@router.post("/users", status_code=201)
async def add(asked: schema.WantedAccount, viewer: Who, panel: Services) -> schema.NewAccount:
    """Somebody new; his one-time code is shown once."""
    account, code = await panel.accounts.add(viewer, _fields(asked))
    return schema.NewAccount(account=account, code=code)


@router.patch("/users/{login}")
async def change(asked: schema.ChangedAccount, viewer: Who, panel: Services, login: Login) -> Account:
    """What is not given stays. Where his rights change his sessions end."""
    return await panel.accounts.change(viewer, login, _fields(asked))


@router.post("/users/{login}/code")
async def new_code(viewer: Who, panel: Services, login: Login) -> schema.Code:
    """A one-time code, valid for a day; password and sessions end."""
    return schema.Code(code=await panel.accounts.new_code(viewer, login))


@router.put("/users/{login}/disabled", status_code=204)
async def disable(asked: schema.Disabled, viewer: Who, panel: Services, login: Login) -> None:
    """Let him in no more, or again."""
    await panel.accounts.set_disabled(viewer, login, asked.disabled)


@router.get("/webhooks", response_model=list[schema.Webhook])
async def webhooks(viewer: Who, panel: Services) -> Sequence[Mapping[str, Any]]:
    """Who is told of finished recordings and alarms."""
    return await panel.webhooks.list(viewer)


@router.post("/webhooks", status_code=201, response_model=schema.NewWebhook)
async def add_webhook(asked: schema.WantedWebhook, viewer: Who, panel: Services) -> Mapping[str, Any]:
    """Tell this address from now on; the secret that signs is shown once."""
    return await panel.webhooks.add(viewer, asked.url, asked.events)


@router.delete("/webhooks/{id}", status_code=204)
async def remove_webhook(viewer: Who, panel: Services, id: Annotated[str, Path(max_length=64)]) -> None:
    """Tell it no more."""
    await panel.webhooks.remove(viewer, id)


def _fields(asked: BaseModel) -> dict[str, str]:
    """As the form has them: lists with blanks between, and only what was given."""
    given = asked.model_dump(mode="json", exclude_unset=True)
    return {
        name: " ".join(value) if isinstance(value, list) else str(value or "")
        for name, value in given.items()
    }
