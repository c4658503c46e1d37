"""An application with audit triggers, out of sql/legacy."""

from __future__ import annotations

from typing import LiteralString

from activity_pipeline.hot.connection import Statements
from activity_pipeline.settings import packaged


def create_application(connection: Statements) -> None:
    """Make the schema `app` with its tables, `app.audit_logs`, trigger functions, triggers and views.

    Args:
        connection: To a database that has no schema of that name.
    """
    with connection.transaction():
        for path in sorted((packaged("sql") / "legacy").glob("*.sql")):
            text: LiteralString = path.read_text()
            connection.execute(text)
