"""A real nginx before the panel's own process, with the configuration that docs/panel.md prints.

Owns both processes and the certificate between them and the browser. Must not know what is asked of them.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.live.asterisk import free_port, within

ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "docs" / "panel.md"
# Where Debian has it, who works for it.
WORKER = "www-data"
# Whom nginx knows, where it asks.
PERSON = ("101", "x")

_AROUND = """
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/buffered;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    {server}
}}
"""


@dataclass
class Front:
    """Where a browser finds nginx, and what is behind it."""

    address: str
    folder: Path
    panel: subprocess.Popen[bytes]

    def browser(self, address: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """A browser at this address of the loopback network."""
        transport = httpx.HTTPTransport(
            verify=ssl.create_default_context(cafile=str(self.folder / "calls.pem")), local_address=address
        )
        return httpx.Client(base_url=self.address, transport=transport, headers=headers, timeout=30)

    def read_by_the_panel(self) -> int:
        """Bytes that the panel's process has read so far, from files and sockets."""
        text = Path(f"/proc/{self.panel.pid}/io").read_text()
        return int(text.split()[1])


def sample() -> str:
    """The server of the manual."""
    found = re.search(r"^    server \{\n.*?^    \}\n", MANUAL.read_text(), re.M | re.S)
    assert found
    return found[0]


def line(about: str) -> str:
    """The one line of the manual's prose, in backquotes, that begins so."""
    [found] = re.findall(rf"`({about}[^`]*)`", MANUAL.read_text())
    return str(found)


@contextmanager
def front(folder: Path, *, socket: bool, asking: bool, sign_on: str) -> Iterator[Front]:
    """nginx and the panel, over the folder's own recorderd.yaml, which believes the header of a name.

    `sign_on`: lines for nginx's location; `asking`: it asks for a name and a password of the file `people`.
    """
    port, behind = free_port(), free_port()
    text = sample().replace("listen 443 ", f"listen 127.0.0.1:{port} ")
    text = text.replace("/etc/ssl/", f"{folder}/")
    panel: dict[str, object] = {"port": behind, "proxies": ["127.0.0.1"]}
    if socket:
        panel = {"socket": str(folder / "panel.sock"), "group": WORKER}
        there = line("proxy_pass http://unix:").replace("/run/recorderd-panel", str(folder))
        text = re.sub(r"proxy_pass .*;", there, text)
    text = text.replace("http://127.0.0.1:8088", f"http://127.0.0.1:{behind}")
    panel["user_header"] = "X-Remote-User"
    if asking:
        sign_on += f'auth_basic "who?"; auth_basic_user_file {folder}/people;'
    text = text.replace("proxy_buffering", f"{sign_on}\nproxy_buffering")
    configuration = folder / "recorderd.yaml"
    sections = yaml.safe_load(configuration.read_text())
    configuration.write_text(yaml.safe_dump({**sections, "panel": panel}))
    _certify(folder)
    own = _panel(configuration)
    try:
        server = _nginx(folder, text)
        try:
            made = Front(f"https://127.0.0.1:{port}", folder, own)
            within(20, lambda: _answers(made, own), "the panel answers through nginx")
            yield made
        finally:
            server.terminate()
            server.wait(20)
    finally:
        own.terminate()
        own.wait(20)


def _panel(configuration: Path) -> subprocess.Popen[bytes]:
    with (configuration.parent / "panel.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "recorderd", "--config", str(configuration), "panel"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )


def _nginx(folder: Path, server: str) -> subprocess.Popen[bytes]:
    user = f"user {WORKER};" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_AROUND.format(user=user, folder=folder, server=server))
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    return subprocess.Popen([*command, "-g", "daemon off;"], stdin=subprocess.DEVNULL)


def _answers(made: Front, panel: subprocess.Popen[bytes]) -> bool:
    assert panel.poll() is None, (made.folder / "panel.log").read_text()
    try:
        with made.browser() as browser:
            return browser.get("/healthz", auth=PERSON).status_code == 200
    except httpx.TransportError:
        return False


def quiet(count: object, seconds: float = 0.5) -> int:
    """What a count comes to once it has stood still for so long."""
    assert callable(count)
    deadline = time.monotonic() + 30
    last, since = count(), time.monotonic()
    while time.monotonic() - since < seconds:
        assert time.monotonic() < deadline, "it never stands still"
        time.sleep(0.02)
        if (now := count()) != last:
            last, since = now, time.monotonic()
    return int(last)


def _certify(folder: Path) -> None:
    """calls.pem and calls.key: a certificate of its own making, for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "calls.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "calls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
