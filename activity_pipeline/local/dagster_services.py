"""Dagster's web server and daemon as children of this process, over the settings' servers."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from activity_pipeline.local.child import Service, service
from activity_pipeline.local.services import dagster_environment
from activity_pipeline.settings import Settings


@contextlib.contextmanager
def dagster_services(settings: Settings) -> Iterator[Service]:
    """Run web server, daemon and code server while the block runs; yields once the pages answer.

    `dagster dev` is their parent. They are stopped as `local.child.service` says, runs included.

    Raises:
        LocalStackError: They do not start, with the end of their log.
    """
    home = settings.state_path / "dagster"
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(home / "workspace.yaml")]
    command += ["--host", "127.0.0.1", "--port", str(settings.webserver_port), "--log-level", "warning"]
    with service(
        "Dagster",
        command,
        url=f"http://127.0.0.1:{settings.webserver_port}",
        probe="/server_info",
        log=settings.state_path / "log" / "dagster.log",
        cwd=home,
        environment={**os.environ, **dagster_environment(settings)},
    ) as running:
        yield running
