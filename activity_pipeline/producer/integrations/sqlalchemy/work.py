"""What a session has changed and not yet committed, on its way to the outbox or the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, event
from sqlalchemy.orm import SessionTransaction

from activity_pipeline.errors import EventError
from activity_pipeline.producer.integrations.sqlalchemy.tables import TableRules, fit
from activity_pipeline.producer.outbox import encode, write_lines

KEY = "activity_audit"
"""Where a session's `info` has its Work."""

Send = Callable[[Sequence[bytes]], None]

_LOG = logging.getLogger("activity_pipeline")


@dataclass(slots=True)
class Work:
    """The changes of one session.

    Attributes:
        source: The events' source.
        rules_of: Says what is logged of a table; None for nothing.
        send: Sends lines to the queue.
        with_txid: Whether events carry the id of their transaction.
        hides_some: Whether values of some table must not leave the process.
        before: Values from before the update or delete that is being flushed, by object and table.
        outbox: Lines of this flush, to be written by the connection that flushed them.
        pending: Lines for the queue, once the transaction has committed.
        marks: How many were pending when a savepoint was made.
        connections: Those of the transaction.
        txids: The id of each one's transaction.
    """

    source: str
    rules_of: Callable[[Table], TableRules | None]
    send: Send
    with_txid: bool
    hides_some: bool
    before: dict[Any, dict[str, dict[str, Any]]] = field(default_factory=dict)
    outbox: list[tuple[Connection, str]] = field(default_factory=list)
    pending: list[bytes] = field(default_factory=list)
    marks: dict[SessionTransaction, int] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    txids: dict[Connection, int] = field(default_factory=dict)

    def note(
        self,
        connection: Connection,
        table: Table,
        operation: str,
        key: Sequence[Any] | None,
        rules: TableRules,
        *,
        old: Mapping[str, Any] | None = None,
        new: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Make an event of one change.

        Raises:
            EventError: It cannot be encoded, and was to be in the outbox.
        """
        metadata: dict[str, Any] = {"table": str(table.fullname), "operation": operation, **(more or {})}
        for name, values in (("old", old), ("new", new)):
            if values is not None:
                metadata[name] = rules.shown(values)
        if self.with_txid and connection.dialect.name == "postgresql":
            metadata["txid"] = self._txid(connection)
        try:
            _, line = encode(
                f"{table.name}.{operation.lower()}",
                self.source,
                entity_type=str(table.name),
                entity_id=None if key is None else ",".join(str(part) for part in key),
                metadata=fit(metadata, [part for part in ("old", "new", "parameters") if part in metadata]),
            )
        except EventError as error:
            if rules.delivery == "outbox":
                raise
            _LOG.warning("a change of %s was not logged: %s", table.fullname, error)
            return
        if rules.delivery == "outbox":
            self.outbox.append((connection, line))
        else:
            self.pending.append(line.encode())

    def _txid(self, connection: Connection) -> int:
        if connection not in self.txids:
            self.txids[connection] = connection.exec_driver_sql("select txid_current()").scalar_one()
        return self.txids[connection]

    def write(self) -> None:
        """Write what belongs into the outbox, a statement a connection."""
        self.before.clear()
        lines: dict[Connection, list[str]] = {}
        for connection, line in self.outbox:
            lines.setdefault(connection, []).append(line)
        self.outbox.clear()
        for connection, its_lines in lines.items():
            write_lines(connection, its_lines)

    def roll_back(self, transaction: SessionTransaction) -> None:
        """Forget what the end of a transaction, or of a savepoint, took back."""
        self.outbox.clear()
        self.before.clear()
        if transaction.nested:
            del self.pending[self.marks[transaction] :]
        elif transaction.parent is None:
            self.pending.clear()

    def commit(self) -> None:
        """Send what is pending; once an outer transaction has committed, where the session has joined one."""
        lines, self.pending = self.pending, []
        if not lines:
            return
        for connection in self.connections:
            if not connection.closed and connection.in_transaction():
                event.listen(connection, "commit", lambda _: self._send(lines), once=True)
                event.listen(connection, "rollback", lambda _: lines.clear(), once=True)
                return
        self._send(lines)

    def _send(self, lines: list[bytes]) -> None:
        try:
            self.send(lines)
        except Exception as error:
            # The business has committed: nothing may fail any more.
            _LOG.warning("%d changes were not logged: %r", len(lines), error)

    def end(self, transaction: SessionTransaction) -> None:
        """Forget a transaction that is over."""
        # A savepoint's mark stays: its rollback is told after its end.
        if transaction.parent is None:
            self.marks.clear()
            self.pending.clear()
            self.connections.clear()
            self.txids.clear()
