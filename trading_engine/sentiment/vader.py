"""Sentiment by a lexicon: works offline, without weights, and knows nothing of finance."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Final

from trading_engine.extras import require_extra
from trading_engine.sentiment.scores import NEGATIVE, NEUTRAL, POSITIVE, Score

__all__ = ["VaderScorer"]

# The authors' own: from here on a compound score is positive or negative.
THRESHOLD: Final = 0.05


class VaderScorer:
    """
    VADER: valences of words out of a lexicon, turned by negations, degree words and punctuation.

    The value is the compound score; the label is positive from 0.05 on, negative from -0.05 down. Confidence is
    |compound| of the two, and 1 - |compound| of neutral. Shares are the parts of the text of each kind.

    Source: C. Hutto, E. Gilbert, "VADER: a parsimonious rule-based model for sentiment analysis of social media text",
    ICWSM 2014.
    """

    def __init__(self) -> None:
        """
        Raises:
            ConfigurationError: the extra `sentiment` is not installed.
        """
        module = require_extra(
            "vaderSentiment.vaderSentiment", extra="sentiment", wanted_by="the sentiment scorer vader"
        )
        self._analyzer = module.SentimentIntensityAnalyzer()
        self.model_id = f"vader-{metadata.version('vaderSentiment')}"

    def score(self, texts: Sequence[str]) -> list[Score]:
        """Return a score of each text, in their order."""
        return [self._score(text) for text in texts]

    def _score(self, text: str) -> Score:
        found = self._analyzer.polarity_scores(text)
        value = float(found["compound"])
        label = POSITIVE if value >= THRESHOLD else NEGATIVE if value <= -THRESHOLD else NEUTRAL
        return Score(
            value=value,
            label=label,
            confidence=1 - abs(value) if label == NEUTRAL else abs(value),
            shares={POSITIVE: float(found["pos"]), NEUTRAL: float(found["neu"]), NEGATIVE: float(found["neg"])},
        )
