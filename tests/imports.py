"""Files of fills of any size, and what their import takes."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

from friren.accounts import find_account
from friren.persistence.recorder import Recorder
from trading_engine.data.importers.sources import read_files
from trading_engine.services.data_imports import ImportedFile, import_file

# Of a file that is imported in bounded memory. A larger one takes minutes; the figure to show is 1,024.
MEGABYTES = int(os.environ.get("FRIREN_TEST_IMPORT_MB") or 12)
_START = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
_ROOT = Path(__file__).resolve().parent.parent


def write_fills(path: Path, rows: int, *, price: str = "187.32", explained: str = "") -> Path:
    """Write fills as JSON lines, a second apart."""
    with path.open("w") as file:
        for number in range(rows):
            fill = {
                "executed_at": (_START + dt.timedelta(seconds=number)).isoformat(),
                "symbol": f"S{number % 50}",
                "side": "sell" if number % 2 else "buy",
                "quantity": number % 9 + 1,
                "price": price,
                "fee": 0.35,
                "trade_id": f"fill {number}",
                "strategy": "ai",
                "reasoning": explained,
            }
            file.write(json.dumps(fill) + "\n")
    return path


def imported(path: Path) -> ImportedFile:
    """Import a file of fills to the account `broker`."""
    (file,) = read_files("csv", [path]).files
    return import_file(file, account=find_account("broker"), recorder=Recorder())


def peak_of_import(path: Path) -> tuple[float, ImportedFile]:
    """Import a file in a process of its own; return its peak memory in MB and the report."""
    work = "import django, sys; django.setup(); from tests.imports import import_and_tell; import_and_tell(sys.argv[1])"
    command = [sys.executable, "-c", work, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT)
    assert done.returncode == 0, done.stderr
    peak, records, stored = done.stdout.split()
    return float(peak), ImportedFile(str(path), records=int(records), imported=int(stored))


def import_and_tell(name: str) -> None:
    """Import a file, and print the peak memory of this process and what was imported."""
    report = imported(Path(name))
    # Not getrusage: its peak is handed down from the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    sys.stdout.write(f"{peak} {report.records} {report.imported}\n")
