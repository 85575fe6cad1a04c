"""
Is everything as it should be? Upper floors add what they know:

    from friren.operations import health

    health.register("books", check_books)      # in AppConfig.ready()

    def check_books() -> health.Finding:
        return health.Finding(ok=not differences, message=f"{accounts} accounts refolded", details={...})
"""

from __future__ import annotations

from friren.operations.health.registry import Check, Finding, Report, examine, register

__all__ = ["Check", "Finding", "Report", "examine", "register"]
