"""Alerts on what goes wrong in Dagster itself."""
