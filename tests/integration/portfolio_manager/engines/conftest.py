"""How the engines are run here."""

from __future__ import annotations

import os

# vectorbt's own code, interpreted: compiling it takes a quarter of a minute, and runs here are short.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
