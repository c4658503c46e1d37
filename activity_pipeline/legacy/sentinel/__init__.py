"""What stays after the triggers: it sees changes that no event tells of."""

from activity_pipeline.legacy.sentinel.look import (
    GRACE,
    count_by_triggers,
    count_no_longer,
    look,
    watched_tables,
)

__all__ = ["GRACE", "count_by_triggers", "count_no_longer", "look", "watched_tables"]
