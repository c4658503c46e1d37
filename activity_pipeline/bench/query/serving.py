"""The API on the events of a benchmark, in processes of its own."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from activity_pipeline.bench.child import child_environment
from activity_pipeline.bench.query.data import Data
from activity_pipeline.errors import ActivityError

WORKERS = 2


@contextlib.contextmanager
def serving(data: Data) -> Iterator[int]:
    """Yield the port of the API."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="activity-bench-") as folder:
        environment = {
            "ACTIVITY_POSTGRES_DSN": data.dsn,
            "ACTIVITY_REDIS_URL": data.stack.redis_url,
            "ACTIVITY_ARCHIVE_URL": data.store.url,
            "ACTIVITY_API_KEYLESS": "true",
            "ACTIVITY_API_LOG_READS": "false",
        }
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "activity_pipeline",
                "api",
                "--port",
                str(port),
                "--workers",
                str(WORKERS),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=child_environment(environment, state=folder),
        )
        try:
            deadline = time.monotonic() + 60
            while not _answers(port):
                if time.monotonic() > deadline or child.poll() is not None:
                    raise ActivityError("the API does not start")
                time.sleep(0.1)
            yield port
        finally:
            child.terminate()
            child.wait(60)


def _answers(port: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", "/readyz")
        return client.getresponse().status == 200
    except OSError:
        return False
    finally:
        client.close()
