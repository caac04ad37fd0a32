"""Policy, for administrators: extensions, rules, files, and what would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from recorderd.panel.api import schema
from recorderd.panel.api.guard import Services, Who
from recorderd.panel.ports import ExtensionRow
from recorderd.store.abc import RuleRow

router = APIRouter(tags=["policy"])

_WORDS = {True: "yes", False: "no"}


@router.get("/extensions", response_model=list[schema.Extension])
async def extensions(viewer: Who, panel: Services) -> Sequence[ExtensionRow]:
    """Every extension's policy; first the default, as the extension that has no number."""
    return await panel.admin.extensions(viewer)


@router.patch("/extensions")
async def change(asked: schema.BulkChange, viewer: Who, panel: Services) -> schema.Version:
    """Change many at once, in one version."""
    given = asked.change.model_dump(mode="json", exclude_none=True)
    fields = {n: _WORDS[v] if isinstance(v, bool) else str(v) for n, v in given.items()}
    return schema.Version(version=await panel.admin.save_extensions(viewer, asked.extensions, fields))


@router.delete("/extensions/{extension}")
async def forget(
    viewer: Who, panel: Services, extension: Annotated[str, Path(max_length=64)]
) -> schema.Version:
    """Let it follow the default again."""
    return schema.Version(version=await panel.admin.delete_extension(viewer, extension))


@router.get("/policy/{form}")
async def export(viewer: Who, panel: Services, form: Literal["csv", "yaml"]) -> schema.Text:
    """All of it as a file; CSV has no rules."""
    return schema.Text(text=await panel.admin.export_policy(viewer, form))


@router.post("/policy")
async def take(asked: schema.PolicyText, viewer: Who, panel: Services) -> schema.Taken:
    """Take a file, whole or not at all."""
    taken = await panel.admin.import_policy(viewer, asked.text, asked.form, replace=asked.replace)
    return schema.Taken(taken=taken)


@router.get("/rules", response_model=list[schema.Rule])
async def rules(viewer: Who, panel: Services) -> Sequence[RuleRow]:
    """In their order: the first that applies wins."""
    return await panel.admin.rules(viewer)


@router.put("/rules")
async def save_rules(asked: schema.RulesText, viewer: Who, panel: Services) -> schema.Version:
    """All of them, from YAML."""
    return schema.Version(version=await panel.admin.save_rules(viewer, asked.text))


@router.post("/explain")
async def explain(asked: schema.Question, viewer: Who, panel: Services) -> Mapping[str, Any]:
    """What would be decided about such a call, and why."""
    fields = {n: _WORDS[v] if isinstance(v, bool) else v for n, v in dict(asked).items()}
    return await panel.admin.explain(viewer, fields)


@router.post("/what-if")
async def what_if(asked: schema.WhatIf, viewer: Who, panel: Services) -> Mapping[str, Any]:
    """These rules, held against real calls of the past."""
    return await panel.admin.what_if(viewer, asked.text, days=asked.days, limit=asked.limit)
