"""Telling people: an alert goes to every channel that the settings name."""

from activity_pipeline.alerts.channels import Alert, send

__all__ = ["Alert", "send"]
