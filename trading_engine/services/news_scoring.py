"""News through a scorer into the sentiment table, and how well the scorer agrees with people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from trading_engine.data.importers.news import NewsItem
from trading_engine.data.importers.parsed import Issue
from trading_engine.sentiment import LABELS, Score, Scorer
from trading_engine.services.sentiment_logger import SentimentLogger

__all__ = ["Agreement", "ScoredNews", "score_news"]

# As many as a model takes in a few batches of its own.
BATCH_HEADLINES: Final = 256
# The counts beside the lists are exact.
LISTED_MAX: Final = 10_000


@dataclass(slots=True)
class Agreement:
    """
    How a scorer's labels compare with those that people gave, per headline and symbol.

    Attributes:
        counts: by (label given, label scored).
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def labelled(self) -> int:
        """How many there are to compare."""
        return self.counts.total()

    @property
    def accuracy(self) -> float | None:
        """The share that is the same; None where nothing was labelled."""
        return sum(self.counts[label, label] for label in LABELS) / self.labelled if self.labelled else None

    @property
    def macro_f1(self) -> float | None:
        """The mean over the labels of the harmonic mean of precision and recall; None where nothing was labelled."""
        return sum(map(self._f1, LABELS)) / len(LABELS) if self.labelled else None

    def _f1(self, label: str) -> float:
        given = sum(self.counts[label, scored] for scored in LABELS)
        scored = sum(self.counts[given_label, label] for given_label in LABELS)
        return 2 * self.counts[label, label] / (given + scored) if given + scored else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON; `confusion` is by the label given, then by the label scored."""
        confusion = {given: {scored: self.counts[given, scored] for scored in LABELS} for given in LABELS}
        return {
            "labelled": self.labelled,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "confusion": confusion,
        }


@dataclass(slots=True)
class ScoredNews:
    """
    What became of a file of news.

    Attributes:
        headlines: how many were scored.
        inserted, duplicates, journaled: sentiments, one per headline and symbol.
        rejected: lines and sentiments that could not be stored.
        rejected_rows, changed_rows: the first of them, and of lines that were read in another way than written.
        changed: how many of these.
        agreement: with all labels; `single` of headlines about one symbol alone.
    """

    model_id: str
    headlines: int = 0
    inserted: int = 0
    duplicates: int = 0
    journaled: int = 0
    rejected: int = 0
    changed: int = 0
    rejected_rows: list[Issue] = field(default_factory=list)
    changed_rows: list[Issue] = field(default_factory=list)
    agreement: Agreement = field(default_factory=Agreement)
    single: Agreement = field(default_factory=Agreement)


def score_news(
    news: Iterable[NewsItem | Issue],
    *,
    scorer: Scorer,
    logger: SentimentLogger,
    progress: Callable[[int], None] = lambda _headlines: None,
) -> ScoredNews:
    """
    Score each headline once, and store its score for each of its symbols; doing it again stores nothing.

    Args:
        news: taken as it is needed, so a file of any length is fine.
        progress: told how many more headlines were scored.
    """
    report = ScoredNews(scorer.model_id)
    lines: list[int] = []
    receipt = logger.bulk_insert_news(_told(news, scorer, report, lines, progress))
    report.inserted, report.duplicates = receipt.stored, receipt.duplicates
    report.journaled = receipt.journaled + receipt.buffered
    for index, error in receipt.rejected:
        _list(report, Issue(lines[index], error.field, str(error.value), error.rule))
    return report


def _told(
    news: Iterable[NewsItem | Issue],
    scorer: Scorer,
    report: ScoredNews,
    lines: list[int],
    progress: Callable[[int], None],
) -> Iterator[dict[str, Any]]:
    """Yield sentiments as `bulk_insert_news` takes them, and note in `report` what else there is."""
    items = _items(news, report)
    while batch := list(islice(items, BATCH_HEADLINES)):
        for item, score in zip(batch, scorer.score([item.headline for item in batch]), strict=True):
            report.headlines += 1
            _compare(report, item, score)
            for symbol in item.symbols:
                lines.append(item.line)
                yield _sentiment(item, symbol, score, scorer.model_id)
        progress(len(batch))


def _items(news: Iterable[NewsItem | Issue], report: ScoredNews) -> Iterator[NewsItem]:
    for item in news:
        if isinstance(item, Issue):
            _list(report, item)
        else:
            yield item


def _sentiment(item: NewsItem, symbol: str, score: Score, model_id: str) -> dict[str, Any]:
    # Nothing of the file but what makes the news: the same news of another file is the same sentiment.
    return {
        "symbol": symbol,
        "news_source": item.source,
        "headline": item.headline,
        "timestamp": item.published_at,
        "sentiment_score": score.value,
        "confidence": score.confidence,
        "finbert_scores": {name: round(share, 6) for name, share in score.shares.items()},
        "model_id": model_id,
        "extra": {"label": score.label},
    }


def _compare(report: ScoredNews, item: NewsItem, score: Score) -> None:
    for given in item.labels.values():
        report.agreement.counts[given, score.label] += 1
        if len(item.symbols) == 1:
            report.single.counts[given, score.label] += 1


def _list(report: ScoredNews, issue: Issue) -> None:
    if issue.rejected:
        report.rejected += 1
    else:
        report.changed += 1
    rows = report.rejected_rows if issue.rejected else report.changed_rows
    if len(rows) < LISTED_MAX:
        rows.append(issue)
