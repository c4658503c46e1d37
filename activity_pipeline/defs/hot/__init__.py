"""The hot table, written by the drain and shown here a day at a time."""
