"""Fixtures of the live tests: an Asterisk for a test module, telephones for a test.

Where no Asterisk can be had the tests fail; they are never skipped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.live.asterisk import Asterisk
from tests.live.phone import Phones
from tests.live.rig_ami import RigAmi


@pytest.fixture(scope="module", params=[22, 16], ids=["asterisk22", "asterisk16"])
def asterisk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    """A fresh Asterisk of each version for each module."""
    yield from _booted(request.param, tmp_path_factory)


@pytest.fixture(scope="module")
def asterisk22(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    yield from _booted(22, tmp_path_factory)


@pytest.fixture(scope="module")
def asterisk16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    yield from _booted(16, tmp_path_factory)


def _booted(version: int, factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    instance = Asterisk.start(version, Path(factory.mktemp(f"asterisk{version}-")))
    yield instance
    instance.stop()


@pytest.fixture
async def phones(request: pytest.FixtureRequest) -> AsyncIterator[Phones]:
    """`await phones("101")`: telephones at the module's Asterisk, hung up and gone after the test."""
    async with Phones(_asterisk_of(request)) as running:
        yield running


@pytest.fixture
async def ami(request: pytest.FixtureRequest) -> AsyncIterator[RigAmi]:
    """The tests' own manager session, with full rights."""
    instance = _asterisk_of(request)
    async with RigAmi(instance.ami_port, instance.secret) as session:
        yield session


def _asterisk_of(request: pytest.FixtureRequest) -> Asterisk:
    """The instance that the test itself asked for, under whichever of the three names."""
    name = next((name for name in ("asterisk22", "asterisk16") if name in request.fixturenames), "asterisk")
    found: Asterisk = request.getfixturevalue(name)
    return found
