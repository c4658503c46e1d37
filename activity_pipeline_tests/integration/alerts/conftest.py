"""Real sinks for alerts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from activity_pipeline_tests.sinks import Mailbox, Webhook, smtp_sink, webhook_sink


@pytest.fixture
def sink() -> Iterator[Webhook]:
    with webhook_sink() as server:
        yield server


@pytest.fixture
def other_sink() -> Iterator[Webhook]:
    with webhook_sink() as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_sink() as server:
        yield server
