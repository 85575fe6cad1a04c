"""Restoring to moments, damaged files, and processes that are killed: small in the suite, large by `python -m`."""
