"""A connection to Postgres for the length of a question, given back whenever that has to wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from activity_pipeline.hot.connection import Statements

Connections = Callable[[], AbstractContextManager[Statements]]


class Held:
    """One question's: borrowed when it is first needed, and kept. Other threads get one of their own.

    A pool looks at each connection that it lends: that is a round trip, and a page needs four more.
    """

    def __init__(self, connections: Connections) -> None:
        """Take who lends; nothing is borrowed yet."""
        self._connections = connections
        self._thread = threading.get_ident()
        self._returning = contextlib.ExitStack()
        self._connection: Statements | None = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Statements]:
        """Yield a connection."""
        if threading.get_ident() != self._thread:
            with self._connections() as connection:
                yield connection
            return
        if self._connection is None:
            self._connection = self._returning.enter_context(self._connections())
        try:
            yield self._connection
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the connection back; another one is borrowed where one is needed again."""
        self._connection = None
        self._returning.close()
