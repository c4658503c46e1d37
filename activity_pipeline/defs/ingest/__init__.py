"""The drain: queue to hot table, started by what waits in the queue."""
