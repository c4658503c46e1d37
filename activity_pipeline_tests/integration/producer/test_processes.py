"""Each process of an application delivers its own events, however it was started and however it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import RedisServer
from .test_delivery import issued

WORKERS = """
import multiprocessing, pathlib, sys
from activity_pipeline.producer import ActivityLogger

def make():
    return ActivityLogger(sys.argv[1], source="test", spool_dir=pathlib.Path(sys.argv[2]), linger_s=60)

def work(name, logger=None):
    logger = logger or make()
    for number in range(100):
        logger.log(name, entity_id=number)

if __name__ == "__main__":
    start_method = sys.argv[3]
    context = multiprocessing.get_context(start_method)
    inherited = make() if start_method == "fork" else None
    if inherited:
        inherited.log("parent", wait=True)
    workers = [context.Process(target=work, args=(str(name), inherited)) for name in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
"""

PREFORK = """
import os, pathlib, signal, sys, time
from activity_pipeline.producer import ActivityLogger

logger = ActivityLogger(sys.argv[1], source="test", spool_dir=pathlib.Path(sys.argv[2]))
logger.log("master", wait=True)
workers = []
for name in range(4):
    reading, writing = os.pipe()
    worker = os.fork()
    if not worker:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        for number in range(100):
            logger.log(str(name), entity_id=number)
        os.write(writing, b"logged")
        signal.pause()
    workers.append(worker)
    os.read(reading, 6)
logger.log("master")
for worker in workers:
    os.kill(worker, signal.SIGTERM)
    assert os.waitpid(worker, 0)[1] == 0
"""


def run(folder: Path, program: str, *arguments: str) -> None:
    script = folder / "program.py"
    script.write_text(program)
    subprocess.run([sys.executable, str(script), *arguments], check=True, timeout=60)


def check(server: RedisServer, others: list[str]) -> None:
    """Check that four workers delivered a hundred events each, in order, under names of their own."""
    frames = server.frames()
    producers = {frame.producer for frame in frames}
    for producer in producers:
        issued([frame for frame in frames if frame.producer == producer])
    events = [json.loads(line) for line in server.lines()]
    assert sorted(event["action"] for event in events) == sorted([*others, *"0123" * 100])
    assert len({event["id"] for event in events}) == len(events)
    for name in "0123":
        assert [event["entity_id"] for event in events if event["action"] == name] == [
            str(number) for number in range(100)
        ]
    assert len(producers) == 4 + bool(others)


@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing(
    start_method: str, server: RedisServer, spool_dir: Path, tmp_path: Path
) -> None:
    run(tmp_path, WORKERS, server.url, str(spool_dir), start_method)
    check(server, ["parent"] if start_method == "fork" else [])


def test_workers_of_a_server_that_forks_before_it_serves(
    server: RedisServer, spool_dir: Path, tmp_path: Path
) -> None:
    run(tmp_path, PREFORK, server.url, str(spool_dir))
    check(server, ["master", "master"])
