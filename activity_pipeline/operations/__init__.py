"""How long things take: every operation of the pipeline records its duration here, in memory.

    with measured("query") as call:
        ...
        call.items = len(rows)

Light on purpose: the producer records too, and brings nothing but the standard library. What a process
has recorded goes to Postgres by way of hot/recording.py, and to Prometheus by way of exposition.py.
"""

from activity_pipeline.operations.model import OPERATIONS, Histogram, Operation
from activity_pipeline.operations.recorder import RECORDER, Recorder, measured

__all__ = ["OPERATIONS", "RECORDER", "Histogram", "Operation", "Recorder", "measured"]
