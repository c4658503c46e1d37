"""Programs that log and are killed. Arguments: URL of Redis, folder of the spool, and their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START = """
import os, pathlib, resource, signal, sys, threading
from uuid import UUID
from activity_pipeline.producer import ActivityLogger, Limits

def make(**options):
    return ActivityLogger(sys.argv[1], source="test", spool_dir=pathlib.Path(sys.argv[2]), **options)

def event(number, **options):
    logger.log("a", event_id=UUID(int=number, version=4), metadata={"n": number}, **options)

def say(word):
    print(word, flush=True)

def wait_until(condition):
    while not condition():
        threading.Event().wait(0.002)
"""

SPOOL_THEN_KEEP_IN_MEMORY = (
    _START
    + """
logger = make(linger_s=0.005, limits=Limits(frame_events=10))
for number in range(50):
    event(number, wait=True)
say("sent")
sys.stdin.readline()
for number in range(50, 150):
    event(number)
wait_until(lambda: logger.stats.spooled == 100)
say("spooled")
sys.stdin.readline()
logger._delivery._linger_s = 600
logger._delivery._tick = float("inf")
for number in range(150, 155):
    event(number)
say("in memory")
sys.stdin.readline()
"""
)
"""Sends 50 events, spools 100 when told that Redis is away, then keeps 5 in memory."""

DIE_IN_THE_MIDDLE_OF_A_WRITE = (
    _START
    + """
write = os.write
records = 0

def dying(descriptor, content):
    global records
    records += 1
    if records == int(sys.argv[3]):
        write(descriptor, content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(descriptor, content)

logger = make(linger_s=600, limits=Limits(frame_events=10))
os.write = dying
for number in range(1000):
    event(number)
signal.pause()
"""
)
"""Is killed when half of the n-th record of ten events is on the disk."""

LOG_FOREVER = (
    _START
    + """
logger = make(linger_s=0.002, limits=Limits(frame_events=20))
number = int(sys.argv[3])
while True:
    event(number, wait=number % 5 == 0)
    if number % 5 == 0:
        say(number)
    number += 1
"""
)
"""Logs from a number on; says each fifth when Redis has it, and with it all before it."""

FILL_THE_DISK = (
    _START
    + """
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
logger = make(linger_s=0.005, limits=Limits(frame_events=50, buffer_bytes=50_000))
number = 0
while not logger.stats.dropped.get("spool_full"):
    event(number)
    number += 1
assert logger._buffer.size_bytes <= 110_000, logger._buffer.size_bytes
say("full")
sys.stdin.readline()
assert logger.flush(30)
stats = logger.stats
assert stats.sent == stats.logged == number - sum(stats.dropped.values()), stats
say(f"{number} {stats.logged}")
"""
)
"""Logs while Redis is away until the disk takes no more, and on when told that it is back."""


@contextmanager
def running(program: str, url: str, spool_dir: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a program; at the end it is killed, if it is still there."""
    command = [sys.executable, "-c", program, url, str(spool_dir), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def hear(process: subprocess.Popen[str]) -> str:
    """Return the next thing that a program says, or nothing where it has died."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def tell(process: subprocess.Popen[str]) -> None:
    """Let a program go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
