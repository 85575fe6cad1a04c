"""Price files into the price table, with every line that did not go in as it stands named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from trading_engine.data.bars import Bar
from trading_engine.data.importers.parsed import Issue, ParsedFile
from trading_engine.services.price_loading import PriceLoader
from trading_engine.services.price_recorder import PriceRecorder

__all__ = ["FileImport", "import_prices"]

# Per file and kind; the count beside the list is exact.
LISTED_MAX: Final = 10_000
# Often enough to watch, seldom enough not to be felt.
PROGRESS_LINES: Final = 500


@dataclass(slots=True)
class FileImport:
    """
    What became of one file.

    Attributes:
        inserted, duplicates, conflicts, revised, suspect, journaled: bars, see `PriceReceipt`.
        rejected: lines that are no bar.
        rejected_rows, suspect_rows: the first of them, by line.
        changed_rows: what was stored otherwise than the file writes it, and how.
        conflict_lines: the first lines whose bar is stored with other values.
    """

    file: str
    symbol: str
    timeframe: str
    source: str
    inserted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    revised: int = 0
    suspect: int = 0
    journaled: int = 0
    rejected: int = 0
    rejected_rows: list[Issue] = field(default_factory=list)
    suspect_rows: list[Issue] = field(default_factory=list)
    changed_rows: list[Issue] = field(default_factory=list)
    conflict_lines: list[int] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """How many bars the file had."""
        return self.inserted + self.duplicates + self.conflicts + self.journaled


def import_prices(
    parsed: ParsedFile,
    *,
    recorder: PriceRecorder,
    venue: str = "",
    revise: bool = False,
    progress: Callable[[int], None] = lambda _lines: None,
) -> FileImport:
    """
    Store the bars of a file; doing it again stores nothing.

    Args:
        venue: of the symbol, "" where it does not matter.
        revise: let bars that differ replace what is stored.
        progress: told how many more lines were read.

    What the database cannot take goes to the journal, and is stored from there.
    """
    report = FileImport(str(parsed.path), parsed.symbol, parsed.timeframe, parsed.source)
    loader = PriceLoader(revising=revise, reason=f"import of {parsed.path.name}")
    receipt = recorder.load(_bars_of(parsed, report, progress), loader=loader, venue=venue)
    report.inserted, report.duplicates = receipt.stored, receipt.duplicates
    report.conflicts, report.revised = receipt.conflicts, receipt.revised
    report.suspect, report.journaled = receipt.suspect, receipt.journaled
    report.conflict_lines = receipt.conflicting
    return report


def _bars_of(parsed: ParsedFile, report: FileImport, progress: Callable[[int], None]) -> Iterator[tuple[int, Bar]]:
    """Yield (line, bar), and note in `report` what else there is."""
    read = 0
    for row in parsed:
        if isinstance(row, Issue):
            report.rejected += row.rejected
            _list(report.rejected_rows if row.rejected else report.changed_rows, row)
        else:
            if row.bar.is_suspect:
                _list(report.suspect_rows, _suspicion(row.line, row.bar))
            yield row.line, row.bar
        read += 1
        if read % PROGRESS_LINES == 0:
            progress(PROGRESS_LINES)
    progress(read % PROGRESS_LINES)


def _list(rows: list[Issue], row: Issue) -> None:
    if len(rows) < LISTED_MAX:
        rows.append(row)


def _suspicion(line: int, bar: Bar) -> Issue:
    name, value = ("close", bar.close) if bar.low <= bar.open <= bar.high else ("open", bar.open)
    rule = f"outside low..high, {bar.low} to {bar.high}: stored and marked suspect"
    return Issue(line, name, str(value), rule, rejected=False)
