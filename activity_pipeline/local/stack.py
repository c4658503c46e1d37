"""What callers hold: a lease on the servers of a state folder, and their addresses."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local.lease import Lease, Servers, take_lease
from activity_pipeline.local.postgres import DATABASES, ROLE

STOP_TIMEOUT_S = 30.0


class LocalStack:
    """Postgres and Redis under a state folder, shared by all processes that name the same folder.

    The servers start with the first holder and stop with the last one: after `stop`, or when the
    process ends in any way. They run while any holder lives, so hold the stack as long as you use
    the addresses. A forked child keeps the addresses and no lease.

        with LocalStack(Path(".activity")) as stack:
            psycopg.connect(stack.postgres_dsn)
    """

    def __init__(self, state: Path, *, timeout_s: float = 60.0, user_namespaces: bool = True) -> None:
        """Name the stack; nothing is started yet.

        Args:
            state: the state folder; created, closed to others, by `start`.
            timeout_s: how long `start` may take, in seconds. Long, because a server may have to
                recover its data first; a server that ends is reported at once.
            user_namespaces: False lets root run Postgres as where the kernel refuses user
                namespaces: as `nobody`.
        """
        self.state = state
        self._timeout_s = timeout_s
        self._user_namespaces = user_namespaces
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._servers: Servers | None = None
        _stacks.add(self)

    def start(self) -> Self:
        """Take a lease, and start the servers if no one else has; again after a server has died.

        Raises:
            LocalStackError: a server cannot be found or does not start; its message and its
                attribute `log_tail` carry the end of the server's log.
        """
        with self._lock:
            if self._lease is not None and not self._lease.is_alive():
                self._lease.connection.close()
                self._lease = None
            if self._lease is None:
                self._lease = take_lease(
                    self.state, timeout_s=self._timeout_s, user_namespaces=self._user_namespaces
                )
                self._servers = self._lease.servers
        return self

    def stop(self) -> None:
        """Give the lease back; the last holder waits until the servers have ended.

        Raises:
            LocalStackError: they did not end in time.
        """
        with self._lock:
            lease, self._lease, self._servers = self._lease, None, None
            if lease is not None:
                lease.give_back(STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def servers(self) -> Servers:
        """Sockets and process ids of the running servers.

        Raises:
            LocalStackError: the stack is not started.
        """
        if self._servers is None:
            raise LocalStackError(f"the stack of {self.state} is not started")
        return self._servers

    @property
    def postgres_dsn(self) -> str:
        """The libpq URI of the events database."""
        return self.postgres_dsn_for(DATABASES[0])

    def postgres_dsn_for(self, database: str) -> str:
        """Return the libpq URI of another database of the same server, say `dagster`."""
        host = quote(os.fsencode(self.servers.postgres_sockets), safe="")
        return f"postgresql://{ROLE}@/{quote(database, safe='')}?host={host}"

    @property
    def redis_url(self) -> str:
        """The URL for redis.Redis.from_url."""
        return f"unix://{quote(os.fsencode(self.servers.redis_socket))}?db=0"

    def _forget_lease(self) -> None:
        """Close a forked child's copy of the lease, which would keep the servers after its parent."""
        self._lock = threading.Lock()
        if self._lease is not None:
            self._lease.connection.close()
            self._lease = None


_stacks: weakref.WeakSet[LocalStack] = weakref.WeakSet()


def _forget_leases() -> None:
    for stack in list(_stacks):
        stack._forget_lease()


os.register_at_fork(after_in_child=_forget_leases)
