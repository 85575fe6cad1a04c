"""
What was sealed cannot be changed, removed, reordered or cut off without `verify` naming the first bad row.

    from friren.operations.audit import seal, verify

    seal()                 # facts that are new become signed blocks, whose head is kept outside the database
    verify().first_bad     # None, or the first row that is not as it was sealed

How it works: docs/explanation/audit.md.
"""

from __future__ import annotations

from friren.operations.audit.compare import Fault
from friren.operations.audit.sealing import SealReport, accept_restore, head_in, head_of, rotate_key, seal
from friren.operations.audit.verification import Expectation, Verified, verify

__all__ = [
    "Expectation",
    "Fault",
    "SealReport",
    "Verified",
    "accept_restore",
    "head_in",
    "head_of",
    "rotate_key",
    "seal",
    "verify",
]
