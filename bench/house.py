"""A real Asterisk 22, the daemon beside it as a process of its own, and SIP calls from a third process.

Owns their joint life for the benches that measure a whole system. `plain` has the rig's dialplan, `heavy` the
FreePBX-like one of freepbx.conf before each call. Must not know what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import record_stream
from bench.page import ROOT
from bench.sip_load import Plan
from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd

PHONES = [str(number) for number in range(101, 141)]
_QUICK_SOUND = ("allow = ulaw", "allow = ulaw:60\nuse_ptime = yes")


@contextlib.asynccontextmanager
async def house(
    kind: str, *, booted: Callable[[Asterisk], object] = lambda _asterisk: None, **daemon: Any
) -> AsyncIterator[tuple[Asterisk, Recorderd]]:
    """Booted, connected, and everything is to be recorded.

    `booted` is called between the two. `daemon`: sections of its configuration.
    """
    folder = Path(tempfile.mkdtemp(prefix="house-"))
    heavy = kind == "heavy"
    asterisk = await asyncio.to_thread(
        Asterisk.start,
        22,
        folder / "asterisk",
        dialplan=f'\n#include "{record_stream.HERE / "freepbx.conf"}"\n' if heavy else "",
        before_dial=record_stream.BEFORE if heavy else "",
        endpoints=len(PHONES),
    )
    try:
        written = asterisk.etc / "pjsip.conf"
        written.write_text(written.read_text().replace(*_QUICK_SOUND))
        await asyncio.to_thread(asterisk.reload, "res_pjsip.so")
        booted(asterisk)
        recorderd = Recorderd(asterisk, folder / "recorderd", **daemon)
        recorderd.configure()
        await recorderd.allow(dict.fromkeys(PHONES, "always"))
        async with recorderd:
            yield asterisk, recorderd
    finally:
        await asyncio.to_thread(asterisk.stop)


async def calls(asterisk: Asterisk, rate: float, seconds: float, **more: Any) -> dict[str, Any]:
    """Play calls; what bench.sip_load told of them."""
    server = f"127.0.0.1:{asterisk.sip_port}"
    plan = Plan(server=server, rate=rate, seconds=seconds, **{"phones": PHONES, **more})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.sip_load", json.dumps(asdict(plan))),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the telephones ended with {process.returncode}")
    told: dict[str, Any] = json.loads(said)
    return told
