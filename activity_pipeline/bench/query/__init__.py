"""`bench query`: questions beside ingest, and the legacy table beside them."""
