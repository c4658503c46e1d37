"""A plugin for SQLAlchemy 2: what a session changes becomes events, with old and new values.

    plugin = AuditPlugin("shop", {User: TableRules(redact={"password_hash"}, delivery="outbox")})
    plugin.install(sessionmaker_or_session_class)

    class UserService:
        def __init__(self, sessions): self.sessions = sessions

        def rename(self, user_id, name):
            with self.sessions.begin() as session:
                session.get(User, user_id).name = name     # the event is this line's, no other call is needed

Flushes are seen, and insert(), update() and delete() that a session executes. What goes past the session is
not: text(), the Connection itself, bulk_save_objects() and its kin, rows of a `secondary` table, cascades of
the database. `activity-pipeline legacy sentinel` counts those.

    delivery   the event exists if and only if          costs
    outbox     the transaction committed                one INSERT a flush, in the transaction
    queue      the same, unless the process is killed   nothing of the database
               between the commit and the send

What a rollback takes back, also one to a savepoint, is not logged.
"""

from activity_pipeline.producer.integrations.sqlalchemy.plugin import AuditPlugin
from activity_pipeline.producer.integrations.sqlalchemy.tables import TableRules

__all__ = ["AuditPlugin", "TableRules"]
