"""The HTTP API as a child of this process, over the settings' servers."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from activity_pipeline.local.child import Service, service
from activity_pipeline.settings import Settings

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def api_service(settings: Settings) -> Iterator[Service]:
    """Run the API on this machine's own address while the block runs; yields once it answers.

    Raises:
        LocalStackError: It does not start, with the end of its log.
    """
    with service(
        "the API",
        [sys.executable, "-m", "activity_pipeline", "api", "--host", LOOPBACK],
        url=f"http://{LOOPBACK}:{settings.api_port}",
        probe="/healthz",
        log=settings.state_path / "log" / "api.log",
        cwd=settings.state_path,
        environment={**os.environ, **settings.environment()},
    ) as running:
        yield running
