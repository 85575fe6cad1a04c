"""
Write requirements.lock and the constraints in pyproject.toml from what uv resolves; `--upgrade` takes newer versions.

uv's own lock file names the index it was made with. The committed lock has names, versions and hashes only, and
`[tool.uv] constraint-dependencies` makes `uv sync` and `uv run` resolve to exactly those.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = ROOT / "pyproject.toml"
LOCK = ROOT / "requirements.lock"
BEGIN, END = "constraint-dependencies = [\n", "]\n"
EXPORT = ["export", "--no-header", "--format", "requirements-txt", "--no-emit-project", "--all-extras", "--all-groups"]


def uv(*arguments: str) -> str:
    """Run uv and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def pins(lock: str) -> list[str]:
    """Return `name==version ; marker` of every package of a lock."""
    return [match[1].strip() for match in re.finditer(r"^([a-z0-9][^\\\n]*?)\s*\\?$", lock, re.MULTILINE)]


def without_constraints(text: str) -> str:
    """Return pyproject.toml without the generated list."""
    begin = text.find(BEGIN)
    return text if begin < 0 else text[:begin] + text[text.index(END, begin) + len(END) :]


def with_constraints(text: str, lock: str) -> str:
    """Return pyproject.toml with the pins of a lock as constraints."""
    text = without_constraints(text)
    header = "[tool.uv]\n"
    at = text.index(header) + len(header)
    lines = "".join(f'    "{pin}",\n' for pin in pins(lock))
    return text[:at] + BEGIN + lines + END + text[at:]


def main() -> None:
    """Write both files."""
    text = PYPROJECT.read_text(encoding="utf-8")
    if "--upgrade" in sys.argv[1:]:
        text = without_constraints(text)
        PYPROJECT.write_text(text, encoding="utf-8")
        uv("lock", "--upgrade")
    lock = uv(*EXPORT)
    if "://" in lock:
        sys.exit("the lock names a host")
    LOCK.write_text(lock, encoding="utf-8")
    PYPROJECT.write_text(with_constraints(text, lock), encoding="utf-8")
    print(f"{len(pins(lock))} packages")


if __name__ == "__main__":
    main()
