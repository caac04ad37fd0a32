"""Records what a real Asterisk 22 sends to a manager session that hears all, while telephones talk and recorderd works.

    python -m bench.record_stream [plain] [heavy]       writes bench/streams/NAME.gz

Owns the recording, nothing of the measuring. `heavy` has the FreePBX-like dialplan of freepbx.conf before each
call. The login and its answer are left out.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
import tempfile
from pathlib import Path

from tests.live.asterisk import Asterisk
from tests.live.daemon import Recorderd
from tests.live.phone import Phones

HERE = Path(__file__).parent
BEFORE = (
    "Gosub(bench-user-callerid,s,1)\n same => n,Gosub(bench-exten-vm,s,1(${EXTEN}))\n"
    " same => n,Gosub(bench-sub-record-check,s,1(exten,${EXTEN}))"
)
CALLS = 24
POLICY = {str(n): mode for n, mode in zip(range(101, 107), ("always", "never", "on-demand") * 2, strict=True)}


async def record(heavy: bool, calls: int) -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="stream-"))
    include = f'#include "{HERE / "freepbx.conf"}"' if heavy else ""
    asterisk = Asterisk.start(22, folder / "asterisk", dialplan=include, before_dial=BEFORE if heavy else "")
    try:
        async with Recorderd(asterisk, folder / "recorderd") as daemon, Phones(asterisk) as phones:
            await daemon.allow({**POLICY, "default": "always"})
            reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
            writer.write(f"Action: Login\r\nUsername: rig\r\nSecret: {asterisk.secret}\r\n\r\n".encode())
            await reader.readuntil(b"FullyBooted")
            await reader.readuntil(b"\r\n\r\n")
            heard = bytearray()
            hearing = asyncio.create_task(_hear(reader, heard))
            for number in range(calls):
                caller, callee = 101 + number % 6, 101 + (number * 5 + 1) % 6
                callee += 1 if callee == caller else 0
                call, _ = await phones.connect(await phones(str(caller)), await phones(str(callee)))
                await asyncio.sleep(0.4)
                await call.hangup()
                await asyncio.sleep(0.2)
            await daemon.idle()
            await asyncio.sleep(0.5)
            hearing.cancel()
            return bytes(heard[: heard.rindex(b"\r\n\r\n") + 4])
    finally:
        asterisk.stop()


async def _hear(reader: asyncio.StreamReader, heard: bytearray) -> None:
    while data := await reader.read(65536):
        heard += data


def main() -> None:
    for name in sys.argv[1:] or ("plain", "heavy"):
        stream = asyncio.run(record(name == "heavy", CALLS))
        (HERE / "streams" / f"{name}.gz").write_bytes(gzip.compress(stream, 9, mtime=0))
        events = stream.count(b"\r\n\r\nEvent: ") + 1
        print(f"{name}: {len(stream):,} bytes, {events} events, {events / CALLS:.0f} a call")


if __name__ == "__main__":
    main()
