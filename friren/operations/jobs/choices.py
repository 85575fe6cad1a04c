"""The closed list of schedules. Stored case is fixed."""

from django.db.models import TextChoices

__all__ = ["ScheduledStatus"]


class ScheduledStatus(TextChoices):
    """How a scheduled run ended. INTERRUPTED is run again, unless it was before."""

    RUNNING = "RUNNING", "running"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    FAILED = "FAILED", "failed"
    INTERRUPTED = "INTERRUPTED", "interrupted"
