"""202 means kept: an API that is killed right after it, while Redis is away, has lost nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import msgspec
import pytest

from activity_pipeline.producer import ActivityLogger
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.api.conftest import bearer, new_key, now
from activity_pipeline_tests.lines import event
from activity_pipeline_tests.waiting import wait_for


@pytest.mark.slow
@pytest.mark.faults
def test_what_was_answered_by_202_arrives_once(running: Running, tmp_path: Path) -> None:
    key, _ = new_key(running.statements, "write")
    away = tmp_path / "redis.sock"
    settings = msgspec.structs.replace(running.settings, redis_url=f"unix://{away}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    others = {name: value for name, value in os.environ.items() if not name.startswith("ACTIVITY_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "activity_pipeline", "api", "--port", str(port)],
        cwd=tmp_path,
        env={**others, **settings.environment()},
        stderr=subprocess.DEVNULL,
    )
    at = now()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            def answers() -> bool:
                try:
                    return client.get("/healthz").status_code == 204
                except httpx.TransportError:
                    return False

            wait_for("an answer", answers)
            for number in range(50):
                sent = event(number, at)
                assert client.post("/api/v1/activities", json=sent, headers=bearer(key)).status_code == 202
    finally:
        process.kill()
        process.wait()
    away.symlink_to(unquote(urlsplit(running.settings.redis_url).path))
    with ActivityLogger(settings.redis_url, source="next", spool_dir=settings.spool_path) as logger:
        logger.log("started")
        assert logger.flush(20)
    running.drain()
    assert running.count("activity_logs") == 51
    assert running.ledger().residual == 0, running.ledger().differences
