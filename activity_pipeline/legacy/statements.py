"""The statements that take a trigger away and make it again as it was."""

from __future__ import annotations

from psycopg import sql

from activity_pipeline.legacy.catalogue import Trigger

_ENABLE = {
    "O": "enable trigger",
    "D": "disable trigger",
    "R": "enable replica trigger",
    "A": "enable always trigger",
}


def drop_of(trigger: Trigger) -> str:
    """Return the statement that drops a trigger."""
    return f"drop trigger {_quoted(trigger.name)} on {trigger.relation}"


def restore_of(trigger: Trigger) -> list[str]:
    """Return the statements that make a dropped trigger again: itself, when it fires, what is said of it.

    They are meant for an empty search_path.
    """
    name = _quoted(trigger.name)
    statements = [trigger.definition]
    if trigger.enabled != "O":
        statements.append(f"alter table {trigger.relation} {_ENABLE[trigger.enabled]} {name}")
    for relation, copy, enabled in trigger.inherited:
        if (trigger.enabled, enabled) != ("O", "O"):
            statements.append(f"alter table only {relation} {_ENABLE[enabled]} {_quoted(copy)}")
    if trigger.comment is not None:
        comment = sql.Literal(trigger.comment).as_string(None)
        statements.append(f"comment on trigger {name} on {trigger.relation} is {comment}")
    statements += [
        f"alter trigger {name} on {trigger.relation} depends on extension {_quoted(extension)}"
        for extension in trigger.extensions
    ]
    return statements


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)
