"""Run by a unit in the place of its program: prints what it may do there, as one line of JSON.

Owns the list of what is tried. Runs on Python alone, inside the machine; must not know which answers are right.
"""

import ctypes
import errno
import json
import os
import socket
import sys
import time
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000


def call(name, *arguments):
    if getattr(LIBC, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def write(folder):
    path = Path(folder, ".probe")
    path.write_text("x")
    path.unlink()


def shared(folder):
    """What the code does with each day's folder: setgid, and of a group that it is in."""
    path = Path(folder, ".probe.d")
    path.mkdir()
    try:
        os.chown(path, -1, os.getegid())
        path.chmod(0o2770)
    finally:
        path.rmdir()


def others():
    if any(p.name.isdigit() and p.stat().st_uid != os.geteuid() for p in Path("/proc").iterdir()):
        return
    raise PermissionError(errno.EACCES, "only one's own processes are there")


TRIED = {
    "write the state": lambda: write("/var/lib/recorderd"),
    "write where people play": lambda: write("/var/spool/asterisk/monitor"),
    "write where lanes are": lambda: write("/var/spool/asterisk/recorderd"),
    "share a day's folder": lambda: shared("/var/spool/asterisk/monitor"),
    "talk over the network": lambda: socket.socket(socket.AF_INET).close(),
    "talk over a unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "write its configuration": lambda: write("/etc/recorderd"),
    "write its program": lambda: write("/opt/recorderd"),
    "write below /etc": lambda: write("/etc"),
    "write below /var": lambda: write("/var"),
    "write beside Asterisk": lambda: write("/etc/asterisk"),
    "see a home": lambda: os.listdir("/root"),
    "see others' processes": others,
    "see a disk": lambda: os.stat("/dev/vda"),
    "send raw packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "configure the network": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "become root": lambda: os.setuid(0),
    "give a file away": lambda: os.chown("/var/lib/recorderd", 0, -1),
    "mount": lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None),
    "make a namespace": lambda: call("unshare", CLONE_NEWUSER),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "name the machine": lambda: socket.sethostname("probe"),
    "trace a process": lambda: call("ptrace", 16, 1, None, None),
    "run before all others": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "tune the kernel": lambda: Path("/proc/sys/kernel/panic").open("r+").close(),
}


def answer(what):
    try:
        what()
    except OSError as error:
        return errno.errorcode.get(error.errno, "?")
    return ""


def writable():
    """Every folder in which something can be made, without those below such a folder."""
    found = []
    for folder, names, _files in os.walk("/"):
        if folder == "/":
            names.remove("proc")
        if os.access(folder, os.W_OK):
            found.append(folder)
            names.clear()
    return found


print(json.dumps({"refused": {name: answer(what) for name, what in TRIED.items()}, "writable": writable()}))
sys.stdout.flush()
