"""The queue in Redis Streams: append, read after an offset, trim, adopt the legacy list.

Knows no Postgres.
"""
