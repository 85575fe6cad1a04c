"""
Upgrades that end in one of two ways: everything is as the new code wants it, or everything is as it was.

    steps = upgrade()       # verified backup → migrate → health; on any failure the backup is restored
"""

from __future__ import annotations

from friren.operations.upgrading.running import UpgradeStep, plan_upgrade, roll_back, upgrade

__all__ = ["UpgradeStep", "plan_upgrade", "roll_back", "upgrade"]
