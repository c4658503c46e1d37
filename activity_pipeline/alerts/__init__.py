"""Telling people: an alert goes to every channel that the settings name."""

from activity_pipeline.alerts.channels import Alert, Channel, Reply, channels_of, deliver, send

__all__ = ["Alert", "Channel", "Reply", "channels_of", "deliver", "send"]
