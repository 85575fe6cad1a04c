"""
How busy the database is, how large, how fast it grows, and what the write path has taken.

    found = collect()           # asks the server; nothing is written
    record(found)               # one MetricSample per figure, for `growth`
"""

from __future__ import annotations

from friren.operations.metrics.history import growth, record
from friren.operations.metrics.sources import Figures, Sample, collect, register_figure

__all__ = ["Figures", "Sample", "collect", "growth", "record", "register_figure"]
