"""Measures Friren against what it stands on and what people use instead: `python -m tests.benchmarks`."""
