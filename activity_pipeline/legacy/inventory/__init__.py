"""What triggers an application has, which of them audit, and what they cost."""

from activity_pipeline.legacy.inventory.overrides import Overrides, read_overrides
from activity_pipeline.legacy.inventory.read import Inventory, read_inventory

__all__ = ["Inventory", "Overrides", "read_inventory", "read_overrides"]
