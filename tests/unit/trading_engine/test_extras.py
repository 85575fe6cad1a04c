"""What only some installations have is loaded by whoever needs it, and by nobody else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from friren.errors import ConfigurationError
from trading_engine.extras import require_extra

HEAVY = ("arch", "numpy", "onnxruntime", "pandas", "scipy", "statsmodels", "tokenizers", "vaderSentiment", "xgboost")
MODULES = ("learning", "regime", "sentiment", "strategies", "backtesting")


def test_the_packages_that_want_extras_import_without_them():
    work = f"import sys, {', '.join(f'trading_engine.{name}' for name in MODULES)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) & set(HEAVY) == set()


def test_a_missing_package_is_named_with_the_extra_that_brings_it():
    with pytest.raises(ConfigurationError, match=r"^the oracle needs delphi .*: install the extra friren\[tripod\]$"):
        require_extra("delphi.oracle", extra="tripod", wanted_by="the oracle")
