"""The plugin: rules by table, and what it listens to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, event, inspect
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from activity_pipeline.errors import SettingsError
from activity_pipeline.producer.integrations.sqlalchemy import bulk, flush
from activity_pipeline.producer.integrations.sqlalchemy.tables import TableRules
from activity_pipeline.producer.integrations.sqlalchemy.work import KEY, Work
from activity_pipeline.producer.logger import ActivityLogger

TableKey = type[Any] | Table | str
"""A mapped class, a Table, or the name of one: `users` or, where it is in a schema, `app.users`."""


class AuditPlugin:
    """Makes events of what sessions change; see the package."""

    def __init__(
        self,
        source: str,
        tables: Mapping[TableKey, TableRules],
        *,
        default: TableRules | None = None,
        activity: ActivityLogger | None = None,
        transaction_id: bool = True,
    ) -> None:
        """Take the rules.

        Args:
            source: Which application this is, 1 to 64 characters.
            tables: What is logged of each table.
            default: The same for all others; None for nothing of them.
            activity: Where events of `queue` tables go.
            transaction_id: Put the transaction's id, as triggers see it (txid_current), into `txid` of the
                metadata: one query a transaction, and what `legacy compare` matches by.

        Raises:
            SettingsError: Events are for the queue, and there is no `activity`.
        """
        self._source = source
        self._rules = {_name(key): rules for key, rules in tables.items()}
        self._default = default
        self._activity = activity
        self._with_txid = transaction_id
        every = [*self._rules.values(), *([default] if default else [])]
        self._hides_some = any(rules.hides_some for rules in every)
        if activity is None and any(rules.delivery == "queue" for rules in every):
            raise SettingsError("tables that are delivered by the queue need an ActivityLogger: activity=…")

    def install(self, target: Any) -> None:
        """Listen to sessions.

        Args:
            target: A sessionmaker or async_sessionmaker, a class of sessions, or one session, sync or async.
                The class Session stands for all sessions.
        """
        flush.listen()
        sessions = _sync_side(target)
        for name, listener in (
            ("after_transaction_create", self._begun),
            ("after_begin", self._connected),
            ("after_flush", self._flushed),
            ("after_soft_rollback", self._rolled_back),
            ("after_commit", self._committed),
            ("after_transaction_end", self._ended),
            ("do_orm_execute", self._execute),
        ):
            event.listen(sessions, name, listener)
        if isinstance(sessions, Session) and sessions.in_transaction():
            self._work(sessions)

    def rules_of(self, table: Table) -> TableRules | None:
        """Return what is logged of a table."""
        return self._rules.get(table.fullname, self._default)

    def _work(self, session: Session) -> Work:
        if KEY not in session.info:
            session.info[KEY] = Work(
                self._source, self.rules_of, self._send, self._with_txid, self._hides_some
            )
        work: Work = session.info[KEY]
        return work

    def _send(self, lines: Sequence[bytes]) -> None:
        if self._activity is not None:
            for line in lines:
                self._activity.log_line(line)

    def _begun(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.nested:
            work = self._work(session)
            work.marks[transaction] = len(work.pending)

    def _connected(self, session: Session, _: SessionTransaction, connection: Connection) -> None:
        work = self._work(session)
        if connection not in work.connections:
            work.connections.append(connection)

    def _flushed(self, session: Session, _: object) -> None:
        self._work(session).write()

    def _rolled_back(self, session: Session, transaction: SessionTransaction) -> None:
        self._work(session).roll_back(transaction)

    def _committed(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._work(session).commit()

    def _ended(self, session: Session, transaction: SessionTransaction) -> None:
        self._work(session).end(transaction)

    def _execute(self, state: ORMExecuteState) -> Any:
        return bulk.execute(state, self._work(state.session))


def _name(key: TableKey) -> str:
    if isinstance(key, str):
        return key
    table = key if isinstance(key, Table) else inspect(key).local_table
    return str(table.fullname)


def _sync_side(target: Any) -> Any:
    """Return what SQLAlchemy takes listeners of: the synchronous session inside of an asynchronous one."""
    if hasattr(target, "sync_session"):
        return target.sync_session
    if isinstance(target, type) and hasattr(target, "sync_session_class"):
        return target.sync_session_class
    if hasattr(target, "kw") and hasattr(target.class_, "sync_session_class"):
        # An async_sessionmaker: a class of its own, so that others' sessions stay as they are.
        inner = target.kw.get("sync_session_class", target.class_.sync_session_class)
        if isinstance(inner, type):
            inner = type("AuditedSession", (inner,), {})
            target.configure(sync_session_class=inner)
        return inner
    return target
