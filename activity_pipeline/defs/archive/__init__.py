"""Cold days: to Parquet, and through the gate out of Postgres."""
