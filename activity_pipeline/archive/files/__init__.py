"""Parquet files of events: written, read back, hashed, looked up in."""
