"""`activity-pipeline api` as a process of its own, with two workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.waiting import wait_for

from .conftest import bearer, new_key


def test_two_workers_serve_and_end(running: Running, tmp_path: Path) -> None:
    key, _ = new_key(running.statements, "admin")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    others = {name: value for name, value in os.environ.items() if not name.startswith("ACTIVITY_")}
    command = [sys.executable, "-m", "activity_pipeline", "api", "--port", str(port), "--workers", "2"]
    with (tmp_path / "out").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**others, **running.settings.environment()},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            def answers() -> bool:
                assert process.poll() is None, (tmp_path / "out").read_text()
                try:
                    return client.get("/healthz").status_code == 204
                except httpx.TransportError:
                    return False

            wait_for("an answer", answers)
            # These servers are not the embedded ones of `activity-pipeline`: a key is needed.
            assert client.get("/api/v1/days").status_code == 401
            sent = {"source": "s", "action": "a"}
            assert client.post("/api/v1/activities", json=sent, headers=bearer(key)).status_code == 202
            figures = client.get("/metrics", headers=bearer(key)).text
            assert 'route="/api/v1/activities",status="202"} 1.0' in figures
            folder = running.settings.shared_figures
            assert folder.stat().st_mode & 0o777 == 0o700
            assert list(folder.glob("counter_*.db"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in {0, -signal.SIGTERM}
    finally:
        process.kill()
        process.wait()
    said = (tmp_path / "out").read_text()
    assert f"http://127.0.0.1:{port}/api/v1" in said
    assert "Traceback" not in said
    running.drain()
    assert running.ledger().residual == 0
