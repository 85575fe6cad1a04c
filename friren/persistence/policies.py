"""What the write path needs to know of a kind of fact beside its fields. Upper floors register theirs."""

from __future__ import annotations

import dataclasses

__all__ = ["KindPolicy", "policy_of", "register_policy"]


@dataclasses.dataclass(frozen=True, slots=True)
class KindPolicy:
    """
    How a kind of fact is treated when the ordinary way is blocked.

    Attributes:
        synced: in the journal it must survive a power cut (books), not only the end of the process (telemetry).
        ordered: its facts build on one another, so none may overtake an earlier one that still waits in the journal.
        happened: it tells of something that happened already (a fill): taken until memory ends.
        new_risk: it is about to bring new risk (an order): refused while nothing can be recorded safely.
    """

    synced: bool = False
    ordered: bool = False
    happened: bool = False
    new_risk: bool = False


_TELEMETRY = KindPolicy()
_policies: dict[str, KindPolicy] = {}


def register_policy(kind: str, policy: KindPolicy) -> None:
    """Treat facts of `kind` by `policy`; a kind that is not registered is telemetry."""
    _policies[kind] = policy


def policy_of(kind: str) -> KindPolicy:
    """Return the policy of a kind of fact."""
    return _policies.get(kind, _TELEMETRY)
