"""A Redis that may throw events away is refused."""

from __future__ import annotations

import pytest

from activity_pipeline.errors import QueueEvictsError
from activity_pipeline.queue.guard import inspect, refuse_eviction
from activity_pipeline_tests.conftest import Running


def test_the_embedded_redis_can_be_trusted(running: Running) -> None:
    health = inspect(running.queue)
    refuse_eviction(health)
    assert health.append_only
    assert health.used_bytes > 0
    assert health.limit_bytes == 0
    assert int(health.version.split(".")[0]) >= 6


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_one_that_evicts_is_refused(running: Running, policy: str) -> None:
    running.queue.config_set("maxmemory-policy", policy)
    try:
        with pytest.raises(QueueEvictsError) as caught:
            refuse_eviction(inspect(running.queue))
        assert vars(caught.value) == {"policy": policy}
        with pytest.raises(QueueEvictsError):
            running.drain()
    finally:
        running.queue.config_set("maxmemory-policy", "noeviction")
