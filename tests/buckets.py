"""An S3-speaking server of the tests' own (moto's), in a process on loopback, and one that keeps you waiting.

Owns their lives. Must not know what is put there.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
from botocore.config import Config

SECRETS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "no-secret-of-anybody"}
REGION = "us-east-1"


@dataclass
class Server:
    """moto's S3. `stop` and `start` again: the address stays, what was in it does not."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self):  # type: ignore[no-untyped-def]
        """Amazon's own client, to look at what is really there and to tamper with it."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=SECRETS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=SECRETS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def new_bucket(self, name: str) -> str:
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}"

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Everything in it, by key."""
        client = self.client()
        listed = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [found["Key"] for page in listed for found in page.get("Contents", [])]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def start(self) -> None:
        program = (
            "import logging, sys\n"
            "from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app\n"
            "from werkzeug.serving import make_server\n"
            "logging.getLogger('werkzeug').setLevel('ERROR')\n"
            "app = DomainDispatcherApplication(create_backend_app)\n"
            "make_server('127.0.0.1', int(sys.argv[1]), app, threaded=True).serve_forever()\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, str(self.port)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while not _answers(self.port):
            assert self.process.poll() is None, "moto's server ended"
            assert time.monotonic() < until, "moto's server does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()


@contextmanager
def running() -> Iterator[Server]:
    """One of the caller's own."""
    server = Server(free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def hanging(port: int = 0) -> Iterator[str]:
    """A server that takes connections and never says a word; its address."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        held: list[socket.socket] = []

        def hold() -> None:
            try:
                while True:
                    held.append(listener.accept()[0])
            except OSError:
                return

        threading.Thread(target=hold, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for each in held:
                each.close()


@contextmanager
def refusing(status: int, code: str) -> Iterator[str]:
    """A server that answers every request with this error of S3's; its address."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    class Refusal(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

        def log_message(self, *_words: object) -> None:
            """Nobody listens."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def credentials(folder: Path) -> Path:
    """A file of them, as an administrator writes it."""
    path = folder / "bucket.credentials"
    path.write_text("# of the tests\n" + "".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    path.chmod(0o600)
    return path


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
