"""The parent of both servers: starts them, serves leases, stops them after the last one.

Run by `lease` as `python -m activity_pipeline.local.supervisor STATE`, in a session of its own, so
that a Ctrl-C at the terminal reaches the holders and not the servers. It has one thread, on
purpose: the death signal of its children is bound to the thread that forked them.

What a crash leaves, and what comes next:

    a holder dies                    the kernel closes its lease; the others go on
    a server dies                    the supervisor stops the other one and ends; holders start anew
    the supervisor dies (SIGKILL)    the kernel sends both servers their death signal (Linux)
    the machine dies                 sockets, pid files and locks are stale

In each case servers.lock is free once the last process is gone, and not before: every process
of the stack has inherited it. The next start waits for it and then removes what is stale.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local import postgres, redis
from activity_pipeline.local.folders import StateFolder, lock, make_run_folder, remove_run_folder
from activity_pipeline.local.lease import CONTROL_SOCKET, Servers, report
from activity_pipeline.local.server import Server, stop_all
from activity_pipeline.local.user import choose_postgres_user

_log = logging.getLogger("supervisor")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: list[str] | None = None) -> int:
    """Run the stack until its last lease ends; return 1 if it did not start."""
    options = _parse(arguments)
    _detach()
    os.umask(0o077)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    folder = StateFolder(options.state)
    deadline = time.monotonic() + options.timeout_s
    # The last lease is closed by the end of this block, after the servers have ended: its holder
    # waits for that.
    with contextlib.ExitStack() as cleanup:
        first = cleanup.enter_context(socket.socket(fileno=options.lease_fd))
        wakeups = cleanup.enter_context(_signals_as_bytes())
        try:
            with _running(folder, deadline, user_namespaces=options.user_namespaces) as (run, servers):
                listener = cleanup.enter_context(_listen(run))
                greeting = _describe(run, servers).greeting()
                Leases(listener, wakeups, servers, greeting, cleanup).serve(first)
        except (LocalStackError, OSError) as error:
            _log.exception("the stack did not start")
            with contextlib.suppress(OSError):
                first.sendall(report(error))
            return 1
    return 0


class Leases:
    """The open connections, and the loop that watches them, the servers and the signals."""

    def __init__(
        self,
        listener: socket.socket,
        wakeups: socket.socket,
        servers: list[Server],
        greeting: bytes,
        cleanup: contextlib.ExitStack,
    ) -> None:
        """Take the two sockets to watch, and the stack that closes the last lease."""
        self._listener = listener
        self._wakeups = wakeups
        self._servers = servers
        self._greeting = greeting
        self._cleanup = cleanup
        self._selector = selectors.DefaultSelector()
        self._open: set[socket.socket] = set()

    def serve(self, first: socket.socket) -> None:
        """Greet `first` and all who connect; return after the last lease, a signal or a server's end."""
        with self._selector:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(self._wakeups, selectors.EVENT_READ)
            self._admit(first)
            while self._open and not self._told_to_stop():
                for key, _ in self._selector.select():
                    if key.fileobj is self._listener:
                        self._admit(self._listener.accept()[0])
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._open:
                        self._check(key.fileobj)
        self._listener.close()

    def _admit(self, connection: socket.socket) -> None:
        self._open.add(connection)
        self._selector.register(connection, selectors.EVENT_READ)
        # A holder that has already gone shows as the end of its connection.
        with contextlib.suppress(OSError):
            connection.sendall(self._greeting)

    def _check(self, connection: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            if connection.recv(4096):
                return
        self._open.discard(connection)
        self._selector.unregister(connection)
        if self._open:
            connection.close()
        else:
            self._cleanup.enter_context(connection)

    def _told_to_stop(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            numbers = self._wakeups.recv(4096)
            if any(number in STOP_SIGNALS for number in numbers):
                _log.info("stopping on a signal")
                return True
        ended = [server for server in self._servers if server.process.poll() is not None]
        for server in ended:
            _log.error("%s ended with code %s: stopping", server.name, server.process.returncode)
        return bool(ended)


@contextlib.contextmanager
def _running(
    folder: StateFolder, deadline: float, *, user_namespaces: bool
) -> Iterator[tuple[Path, list[Server]]]:
    """Run both servers; yields the folder of their sockets, and them, Postgres first."""
    # Never unlocked: the lock ends with the last process that has inherited it.
    lock_fd = lock(folder.servers_lock, deadline)
    servers: list[Server] = []
    user = choose_postgres_user(user_namespaces=user_namespaces)
    _log.info("Postgres runs as %s", user.run_as.value)
    cluster = postgres.prepare(folder, user, lock_fd=lock_fd)
    run = make_run_folder(folder, user)
    try:
        redis_server = redis.start(folder, run, lock_fd=lock_fd)
        servers.append(redis_server)
        if not cluster.exists:
            cluster.create(deadline)
        postgres_server = cluster.start(postgres.make_socket_folder(run, user))
        servers.insert(0, postgres_server)
        redis_server.wait_ready(partial(redis.is_ready, run), deadline)
        postgres_server.wait_ready(partial(cluster.is_ready, postgres_server), deadline)
        yield run, servers
    finally:
        # First of all no new holder may come in.
        (run / CONTROL_SOCKET).unlink(missing_ok=True)
        stop_all(servers)
        remove_run_folder(folder)


def _describe(run: Path, servers: list[Server]) -> Servers:
    postgres_server, redis_server = servers
    return Servers(
        postgres_sockets=str(run / "pg"),
        redis_socket=str(redis.socket_path(run)),
        supervisor_pid=os.getpid(),
        postgres_pid=postgres_server.process.pid,
        redis_pid=redis_server.process.pid,
    )


def _listen(run: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(run / CONTROL_SOCKET))
    listener.listen()
    return listener


@contextlib.contextmanager
def _signals_as_bytes() -> Iterator[socket.socket]:
    """Yield a socket on which each signal arrives as one byte, its number."""
    receiver, sender = socket.socketpair()
    receiver.setblocking(False)
    sender.setblocking(False)
    with receiver, sender:
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        yield receiver


def _detach() -> None:
    """Go on in a child of init: the starter shall have no child that it would have to wait for."""
    if os.fork():
        os._exit(0)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m activity_pipeline.local.supervisor")
    parser.add_argument("state", type=Path, metavar="STATE", help="the state folder")
    parser.add_argument("--lease-fd", type=int, required=True, help="an inherited socket, the first lease")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="for the start, in seconds")
    parser.add_argument("--no-user-namespaces", dest="user_namespaces", action="store_false")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
