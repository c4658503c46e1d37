"""Postgres: day partitions, bulk writer, reader, dead letters, ledger. The only SQL on event tables."""
