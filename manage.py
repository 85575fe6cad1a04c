#!/usr/bin/env python3
"""Run a Friren command: `python3 -m uv run manage.py help` lists them."""

from __future__ import annotations

from friren.__main__ import main

if __name__ == "__main__":
    main()
