"""Takes the durations that this process records to Postgres, now and then and at the end.

Beside the work and never in its way: a connection of its own, one short transaction each time. Where
Postgres does not take them the durations wait for the next time, and at the end they are dropped and
counted. A process that is killed loses those of the last WRITE_S.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Final

from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.operations import write
from activity_pipeline.operations.recorder import RECORDER, Recorder

logger = logging.getLogger(__name__)
WRITE_S: Final = 10.0
STATEMENT_TIMEOUT: Final = "set statement_timeout = '5s'"


@contextlib.contextmanager
def recording(dsn: str, *, interval_s: float = WRITE_S, recorder: Recorder = RECORDER) -> Iterator[None]:
    """Write durations to the database while the block runs, and once more at its end.

    Args:
        dsn: The database; it is connected to only where there is something to write.
        interval_s: How often, in seconds.
        recorder: Whose durations.
    """
    ended = threading.Event()

    def keep_writing() -> None:
        while not ended.wait(interval_s):
            write_pending(dsn, recorder)

    thread = threading.Thread(target=keep_writing, name="operations", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if not write_pending(dsn, recorder):
            recorder.drop(recorder.take_pending())


def write_pending(dsn: str, recorder: Recorder = RECORDER) -> bool:
    """Write what was recorded since the last time; return whether nothing is left. Never raises."""
    pending = recorder.take_pending()
    if not pending:
        return True
    try:
        with connect(dsn) as statements:
            statements.execute(STATEMENT_TIMEOUT)
            write(statements, pending)
    except Exception as error:  # whatever it is: the work that was measured went well
        recorder.give_back(pending)
        logger.info("durations wait to be written: %s", error)
        return False
    return True
