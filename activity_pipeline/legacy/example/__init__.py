"""A service as it looks once triggers are gone; `activity-pipeline legacy example` runs it."""
