"""The two scorers: VADER by its lexicon, FinBERT on a tiny model of its class that is made here."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from friren.errors import ConfigurationError, RejectedRecordError
from tests import tiny_bert
from trading_engine.sentiment import LABELS, create_scorer

# Never skipped where all groups were installed for it.
INSTALLED = bool(os.environ.get("FRIREN_TEST_ALL")) or all(map(find_spec, ("onnx", "onnxruntime", "tokenizers")))
needs_model = pytest.mark.skipif(not INSTALLED, reason="the group ml is not installed")


@pytest.fixture(scope="module")
def vader():
    pytest.importorskip("vaderSentiment", reason="the extra friren[sentiment] is not installed")
    return create_scorer("vader")


@pytest.fixture(scope="module")
def finbert(tmp_path_factory):
    return create_scorer("finbert", model=tiny_bert.write_model(tmp_path_factory.mktemp("model")))


class TestVader:
    def test_hears_good_bad_and_neither(self, vader):
        good, bad, neither = vader.score(["Profits are great!", "A terrible loss.", "The meeting is at noon."])

        assert (good.label, bad.label, neither.label) == ("positive", "negative", "neutral")
        assert -1 <= bad.value < -0.05 < neither.value < 0.05 < good.value <= 1
        assert neither.confidence == 1.0
        assert bad.confidence == -bad.value
        for score in (good, bad, neither):
            assert score.shares.keys() == set(LABELS)
            assert sum(score.shares.values()) == pytest.approx(1, abs=0.01)

    def test_bears_its_version(self, vader):
        assert vader.model_id.startswith("vader-3.")


@needs_model
class TestFinbert:
    def test_says_what_the_model_says(self, finbert):
        ids = [tiny_bert.WORDS.index(word) for word in ("[CLS]", "the", "profit", "ris", "##es", ".", "[SEP]")]
        expected = tiny_bert.shares_by_hand(ids)
        (score,) = finbert.score(["The profit rises."])

        assert [score.shares[label] for label in tiny_bert.LABELS] == pytest.approx(expected.tolist(), abs=1e-5)
        assert score.value == pytest.approx(float(expected[0] - expected[1]), abs=1e-5)
        assert score.confidence == max(score.shares.values())

    def test_hears_good_bad_and_neither(self, finbert):
        scores = finbert.score(["profit rises", "loss falls", "the meeting ."])

        assert [score.label for score in scores] == ["positive", "negative", "neutral"]

    def test_what_stands_beside_a_text_in_its_batch_changes_nothing(self, finbert):
        texts = ["profit", "the profit rises the meeting falls .", *["the"] * 40, "word of no vocabulary"]
        together = finbert.score(texts)

        for text, score in zip(texts, together, strict=True):
            assert score.value == pytest.approx(finbert.score([text])[0].value, abs=1e-6)

    def test_its_scores_are_stored_under_its_weights(self, finbert):
        assert finbert.model_id.startswith("finbert-")
        assert len(finbert.model_id) <= 50

    def test_the_order_of_labels_is_the_model_s_own(self, tmp_path):
        turned = tiny_bert.write_model(tmp_path / "turned", labels=("Negative", "Positive", "Neutral"))

        assert create_scorer("finbert", model=turned).score(["profit rises"])[0].label == "negative"

    @pytest.mark.parametrize("name", ["model.onnx", "config.json", "vocab.txt"])
    def test_a_folder_that_lacks_a_file_is_named(self, tmp_path, name):
        folder = tiny_bert.write_model(tmp_path / "part")
        (folder / name).unlink()

        with pytest.raises(ConfigurationError, match=f"no {name} in"):
            create_scorer("finbert", model=folder)

    def test_a_model_of_other_labels_is_refused(self, tmp_path):
        folder = tiny_bert.write_model(tmp_path / "stars", labels=("1", "2", "3"))

        with pytest.raises(ConfigurationError, match="must be positive, negative and neutral"):
            create_scorer("finbert", model=folder)

    def test_what_is_no_model_is_refused(self, tmp_path):
        folder = tiny_bert.write_model(tmp_path / "broken")
        (folder / "model.onnx").write_bytes(b"no graph")

        with pytest.raises(ConfigurationError, match="cannot be loaded"):
            create_scorer("finbert", model=folder)


class TestChoice:
    @pytest.mark.parametrize(
        ("name", "module"), [("vader", "vaderSentiment.vaderSentiment"), ("finbert", "onnxruntime")]
    )
    def test_without_its_extra_one_line_says_what_to_install(self, monkeypatch, name, module):
        monkeypatch.setitem(sys.modules, module, None)
        extra = {"vader": "sentiment", "finbert": "finbert"}[name]

        with pytest.raises(ConfigurationError, match=rf"install the extra friren\[{extra}\]"):
            create_scorer(name, model=None if name == "vader" else Path())

    @pytest.mark.parametrize(
        ("name", "model", "field"), [("oracle", None, "scorer"), ("vader", Path(), "model"), ("finbert", None, "model")]
    )
    def test_what_fits_no_scorer_is_refused(self, name, model, field):
        with pytest.raises(RejectedRecordError) as refused:
            create_scorer(name, model=model)
        assert refused.value.field == field
