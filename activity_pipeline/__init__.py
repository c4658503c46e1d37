"""The activity and audit log that costs an application nothing, loses nothing and proves it."""
