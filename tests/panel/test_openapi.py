"""The API holds what its document says: whatever the document allows, and much that it does not, makes no
fault.

schemathesis invents the requests. The app speaks over its own ASGI, in a loop of its own in each request,
so the store is one in memory.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS
from starlette.applications import Starlette

from recorderd.panel.api import PREFIX
from recorderd.panel.app import make_app
from recorderd.panel.passwords import digest
from recorderd.panel.ports import Right
from recorderd.store import open_store
from recorderd.store.panel import TokenRow, UserRow
from tests.panel.calls import Call
from tests.panel.conftest import NOW, Clock, Room, configured

TOKEN = "rdt_" + "t" * 43
# A 500 stands nowhere in the document, so the first finds it; a 503 does, since there is no daemon here.
CONFORMS = ("status_code_conformance", "response_schema_conformance", "content_type_conformance")
_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def app_with_an_administrator(folder: Path) -> Starlette:
    clock = Clock()
    config, store = configured(folder), open_store("memory:", clock)
    app = make_app(config, store, clock)

    async def furnish() -> None:
        room = Room(config, store, clock, app)
        for n in range(3):
            call = Call(number=n, talk=1, ago=100 + n)
            await room.keep(*call.rows())
            room.sound(call.recording)
        admin = UserRow(login="boss", name="Boss", role="administrator", extension="101", created_at=NOW)
        scopes = tuple(Right)
        token = TokenRow(id="t", hash=digest(TOKEN), name="t", login="boss", scopes=scopes, created_at=NOW)
        await store.save([admin, token])

    asyncio.run(furnish())
    return app


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    app = app_with_an_administrator(tmp_path_factory.mktemp("openapi"))
    return schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", app)


def hammer(schema: Any, examples: int) -> int:
    """Try every operation with as many inventions; how many requests there were."""
    count = 0
    checks = [check for check in CHECKS.get_all() if check.__name__ in CONFORMS]
    assert len(checks) == len(CONFORMS)
    for found in schema.get_all_operations():
        operation = found.ok()

        def attempt(case: Any) -> None:
            nonlocal count
            count += 1
            case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, checks=checks)

        run = operation.as_strategy()
        bounds = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=_QUIET,
            phases=[Phase.generate],
        )
        bounds(given(case=run)(attempt))()
    return count


def test_the_api_keeps_to_its_document(schema: Any) -> None:
    assert hammer(schema, 4) > 100


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_api_keeps_to_its_document_in_the_long_run(schema: Any) -> None:
    assert hammer(schema, 80) > 2000


def test_every_operation_is_described_and_guarded(schema: Any) -> None:
    document = schema.raw_schema
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            assert operation["summary"], (verb, path)
            assert operation.get("description"), (verb, path)
            assert {"401", "403", "404", "422", "503"} <= set(operation["responses"]), (verb, path)
            assert operation["security"], (verb, path)
