"""Many devices: today the inventory, later selection, rings, windows and rollouts."""

from akslite_ps.fleet.inventory import Inventory

__all__ = ["Inventory"]
