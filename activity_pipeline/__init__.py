"""The activity and audit log that costs an application nothing, loses nothing and proves it."""

__version__ = "0.1.0"
