"""What audit triggers told, told by service calls: the three ways, side by side.

create_user     log() after the commit           the caller waits microseconds, whatever Redis does
change_plan     the plugin for SQLAlchemy        old and new values, without a line in the service
close_account   log_in_transaction()             the event exists if and only if the change committed
"""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from activity_pipeline.producer import ActivityLogger
from activity_pipeline.producer.integrations.sqlalchemy import AuditPlugin, TableRules
from activity_pipeline.producer.outbox import log_in_transaction

SOURCE = "user_service"


class Base(DeclarativeBase):
    """The application's tables."""


class User(Base):
    """Somebody with an account."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    email: Mapped[str]
    is_closed: Mapped[bool] = mapped_column(default=False)


class Subscription(Base):
    """What somebody pays for."""

    __tablename__ = "subscriptions"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    plan: Mapped[str]
    card_token: Mapped[str]


class UserService:
    """Accounts and what they pay for."""

    def __init__(self, sessions: sessionmaker[Session], activity: ActivityLogger) -> None:
        """Take what opens sessions and what takes events."""
        self._sessions = sessions
        self._activity = activity
        plugin = AuditPlugin(
            SOURCE, {Subscription: TableRules(delivery="outbox", redact={"card_token"}, whole_rows=True)}
        )
        plugin.install(sessions)

    def create_user(self, name: str, email: str, plan: str, card_token: str) -> UUID:
        """Make an account and return its id."""
        user = User(id=uuid4(), name=name, email=email)
        with self._sessions.begin() as session:
            session.add(user)
            session.flush()
            session.add(Subscription(user_id=user.id, plan=plan, card_token=card_token))
            user_id = user.id
        self._activity.log(
            "user.created",
            entity_type="user",
            entity_id=user_id,
            user_id=user_id,
            metadata={"name": name, "email": email},
        )
        return user_id

    def change_plan(self, user_id: UUID, plan: str) -> None:
        """Change what somebody pays for; the plugin sees it."""
        with self._sessions.begin() as session:
            session.get_one(Subscription, user_id).plan = plan

    def close_account(self, user_id: UUID, reason: str) -> None:
        """Close an account.

        Raises:
            ValueError: No reason is given; then nothing has changed, and nothing is logged.
        """
        with self._sessions.begin() as session:
            session.get_one(User, user_id).is_closed = True
            log_in_transaction(
                session,
                "user.closed",
                source=SOURCE,
                entity_type="user",
                entity_id=user_id,
                user_id=user_id,
                metadata={"reason": reason},
            )
            if not reason:
                raise ValueError("why?")
