"""Sentiment by FinBERT, or any BERT classifier of three labels, on ONNX Runtime: no PyTorch, no network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from friren.errors import ConfigurationError
from trading_engine.extras import require_extra
from trading_engine.sentiment.scores import LABELS, NEGATIVE, POSITIVE, Score

__all__ = ["FinbertScorer"]

_WANTED_BY: Final = "the sentiment scorer finbert"
# Headlines are some twenty tokens; this many at once keep a laptop busy and its memory small.
BATCH_TEXTS: Final = 32
TOKENS_MAX: Final = 512


class FinbertScorer:
    """
    Scores texts by a BERT sequence classifier that lies in a folder on this machine.

    The folder is what `optimum-cli export onnx --model ProsusAI/finbert FOLDER` writes: `model.onnx`, `config.json`
    with
    `id2label` (positive, negative and neutral, in any order and case), and `tokenizer.json` or `vocab.txt`.

    The value is P(positive) - P(negative), as FinBERT's authors take it; the label is the likeliest one, and its
    probability the confidence. A text longer than the model takes is cut off at its end.

    Source: D. Araci, "FinBERT: financial sentiment analysis with pre-trained language models", arXiv:1908.10063.

    Attributes:
        model_id: `finbert-` and the beginning of the SHA-256 of the weights: scores of other weights never mix.
    """

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            ConfigurationError: the extra `finbert` is not installed, or the folder does not hold such a model.
        """
        self._numpy = require_extra("numpy", extra="finbert", wanted_by=_WANTED_BY)
        runtime = require_extra("onnxruntime", extra="finbert", wanted_by=_WANTED_BY)
        model = _file(folder, "model.onnx")
        self._labels = _labels(_file(folder, "config.json"))
        self._tokenizer = _tokenizer(folder)
        try:
            self._session = runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        except Exception as exc:  # its errors have no common parent of their own
            raise ConfigurationError(f"{model} cannot be loaded: {exc}") from exc
        self._inputs = [each.name for each in self._session.get_inputs()]
        if unknown := set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"}:
            raise ConfigurationError(f"{model} wants {', '.join(sorted(unknown))}, which no BERT classifier does")
        self.model_id = f"finbert-{_digest(folder)[:16]}"

    def score(self, texts: Sequence[str]) -> list[Score]:
        """Return a score of each text, in their order."""
        return [
            score
            for start in range(0, len(texts), BATCH_TEXTS)
            for score in self._batch(texts[start : start + BATCH_TEXTS])
        ]

    def _batch(self, texts: Sequence[str]) -> Iterator[Score]:
        encoded = self._tokenizer.encode_batch(list(texts))
        told = {
            "input_ids": [each.ids for each in encoded],
            "attention_mask": [each.attention_mask for each in encoded],
            "token_type_ids": [each.type_ids for each in encoded],
        }
        numpy = self._numpy
        feed = {name: numpy.array(told[name], dtype=numpy.int64) for name in self._inputs}
        logits = self._session.run(None, feed)[0]
        if logits.shape != (len(texts), len(self._labels)):
            raise ConfigurationError(
                f"the model answers with {logits.shape}, not with {len(self._labels)} labels a text"
            )
        # Less the largest one, so that no power overflows.
        powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        for row in (powers / powers.sum(axis=1, keepdims=True)).tolist():
            shares = dict(zip(self._labels, row, strict=True))
            label = max(shares, key=shares.__getitem__)
            yield Score(shares[POSITIVE] - shares[NEGATIVE], label, min(shares[label], 1.0), shares)


def _file(folder: Path, name: str) -> Path:
    if not (path := folder / name).is_file():
        raise ConfigurationError(f"there is no {name} in {folder}: name the folder of an exported model")
    return path


def _digest(folder: Path) -> str:
    """Return the SHA-256 of the model; large ones keep their weights in files beside it."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("model.onnx*")):
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _labels(path: Path) -> tuple[str, ...]:
    """Return the labels in the order of the model's answers."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["id2label"]
        labels = tuple(str(told[key]).casefold() for key in sorted(told, key=int))
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigurationError(f"{path} has no id2label: {exc}") from exc
    if sorted(labels) != sorted(LABELS):
        raise ConfigurationError(f"{path}: id2label must be positive, negative and neutral, not {', '.join(labels)}")
    return labels


def _tokenizer(folder: Path) -> Any:
    tokenizers = require_extra("tokenizers", extra="finbert", wanted_by=_WANTED_BY)
    try:
        if (path := folder / "tokenizer.json").is_file():
            found = tokenizers.Tokenizer.from_file(str(path))
        else:
            found = tokenizers.implementations.BertWordPieceTokenizer(str(_file(folder, "vocab.txt")), lowercase=True)
    except ConfigurationError:
        raise
    except Exception as exc:  # what Rust raises is a bare Exception
        raise ConfigurationError(f"the tokenizer in {folder} cannot be loaded: {exc}") from exc
    found.enable_truncation(TOKENS_MAX)
    found.enable_padding(pad_id=found.token_to_id("[PAD]") or 0, pad_token="[PAD]")  # noqa: S106 - no password
    return found
