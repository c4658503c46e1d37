"""What is done with days: exported, retired from Postgres, compacted, restored, erased from."""
