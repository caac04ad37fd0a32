"""A bad network between recorderd and Asterisk: a small TCP proxy that can be told to fail.

Owns both sides' sockets and what goes wrong with them. A process of its own, so that a busy test does not
slow the link: orders come one per line on standard input, and each is answered by `ok` once it is in force.

    pass            everything goes through at once
    cut             every connection is reset; new ones go through
    refuse          every connection is reset, and new ones are refused
    hole            nothing goes through in either direction, nobody is told; new ones are taken and silent
    slow SECONDS    every chunk waits so long, in each direction
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
from typing import Self

from tests.live.asterisk import free_port


class Proxy:
    """The proxy as a test sees it: `port` is where recorderd shall connect."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self.port), str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._answer()

    def order(self, order: str) -> None:
        """Tell it how to be from now on; in force when this returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._answer()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ok":
            raise RuntimeError("the proxy did not obey")

    def close(self) -> None:
        """Gone, and every connection with it."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Network:
    """The state of the wire, and the connections on it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._delay = 0.0
        self._refusing = False

    def obey(self, order: str) -> None:
        verb, _, value = order.partition(" ")
        self._delay = float(value) if verb == "slow" else 0.0
        self._refusing = verb == "refuse"
        if verb in ("cut", "refuse"):
            for writer in list(self._open):
                _reset(writer)
        if verb == "hole":
            self._passing.clear()
        else:
            self._passing.set()

    async def serve(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        if self._refusing:
            _reset(near_out)
            return
        self._open.add(near_out)
        try:
            await self._passing.wait()
            far_in, far_out = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(far_out)
            try:
                await asyncio.gather(self._pump(near_in, far_out), self._pump(far_in, near_out))
            finally:
                self._open.discard(far_out)
                _reset(far_out)
        except OSError:
            pass
        finally:
            self._open.discard(near_out)
            _reset(near_out)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._passing.wait()
            sink.write(data)
            await sink.drain()
        raise ConnectionError("one side closed")


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST, not FIN: as from a host that does not know the connection any more."""
    with contextlib.suppress(OSError):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _main(port: int, target: int) -> None:
    network = _Network(target)
    server = await asyncio.start_server(network.serve, "127.0.0.1", port)
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print("ok", flush=True)
    while order := await orders.readline():
        network.obey(order.decode().strip())
        print("ok", flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
