"""The pools: what may run beside what. Their limits are in dagster.yaml, one run each."""

import dagster as dg

INGEST = "ingest"
ARCHIVE = "archive"
COMPUTE = "compute"
SEAL = "seal"
POOLS = (INGEST, ARCHIVE, COMPUTE, SEAL)


def make_pools_known(instance: dg.DagsterInstance) -> None:
    """Have Dagster keep to the limits of pools from the first run on.

    Dagster 1.13.27 learns of a pool when a run of it is queued, and limits it from the look at the queue
    after that: a first backfill of many exports would get every slot, before the drain.
    """
    storage = instance.event_log_storage
    known = {pool.name for pool in storage.get_pool_limits()}
    for name in POOLS:
        if name not in known:
            storage.initialize_concurrency_limit_to_default(name)
