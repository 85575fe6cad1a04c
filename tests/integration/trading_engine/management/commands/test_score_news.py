"""`manage.py score_news`: headlines scored and stored once, compared with what people said, nothing lost."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests import tiny_bert
from trading_engine.models import SentimentData

pytest.importorskip("vaderSentiment", reason="the extra friren[sentiment] is not installed")

# Rows of SEntFiN that Python's literal parser refuses, by their S No.
APOSTROPHES = (3615, 3783, 4909, 5014, 5321, 7226, 8167, 8202, 9624, 9824, 10269, 10355, 10621)


def score(*arguments):
    screen = io.StringIO()
    call_command("score_news", *map(str, arguments), "--json", stdout=screen)
    return json.loads(screen.getvalue())


def test_labelled_headlines_of_sentfin_are_stored_once_and_none_is_lost(shared_data, tmp_path):
    """The first four hundred rows, and the thirteen that a literal parser refuses."""
    lines = (shared_data / "news" / "SEntFiN.csv").read_text(encoding="utf-8-sig").splitlines(keepends=True)
    chosen = [lines[0], *lines[1:401], *(lines[number] for number in APOSTROPHES)]
    path = tmp_path / "SEntFiN.csv"
    path.write_text("".join(chosen))

    first = score(path, "--published", "2021-11-01")
    second = score(path, "--published", "2021-11-01")

    assert (first["headlines"], first["rejected"], first["changed"]) == (413, 0, 13)
    assert [row["line"] for row in first["changed_rows"]] == list(range(402, 415))
    assert "Osian's Art Fund" in first["changed_rows"][0]["value"]
    assert first["inserted"] == SentimentData.objects.count()
    assert first["inserted"] + first["duplicates"] == first["labelled"] > 413
    assert (second["inserted"], second["duplicates"]) == (0, first["labelled"])
    assert SentimentData.objects.filter(symbol__ticker="Osian's Art Fund").exists()
    right = sum(first["confusion"][label][label] for label in first["confusion"])
    assert first["accuracy"] == right / first["labelled"]
    assert 0.3 < first["accuracy"] < 1
    assert first["single_symbol"]["labelled"] < first["labelled"]


def test_a_table_of_one_s_own_keeps_its_times_sources_and_symbols(tmp_path):
    path = tmp_path / "news.csv"
    path.write_text(
        "published,ticker,publisher,headline\n"
        "2026-01-05T14:30:00+01:00,AAPL,Wire,Great profit\n"
        ",AAPL,Wire,Nobody knows when\n"
        "2026-01-06,MSFT,,Awful loss\n"
    )
    report = score(path)

    assert (report["inserted"], report["rejected"], report["accuracy"]) == (2, 1, None)
    assert report["rejected_rows"][0]["line"] == 3
    good, bad = SentimentData.objects.order_by("timestamp").select_related("symbol")
    assert (good.timestamp.isoformat(), good.news_source, good.symbol.ticker) == (
        "2026-01-05T13:30:00+00:00", "Wire", "AAPL",
    )  # fmt: skip
    assert (bad.news_source, bad.extra, bad.model_id) == ("news", {"label": "negative"}, report["model_id"])
    assert bad.sentiment_score < 0 < good.sentiment_score
    assert bad.finbert_scores["negative"] > 0


def test_finbert_scores_are_stored_beside_vader_s(tmp_path):
    for module in ("onnx", "onnxruntime", "tokenizers"):
        pytest.importorskip(module, reason="the group ml is not installed")
    path = tmp_path / "news.csv"
    path.write_text("published,ticker,headline\n2026-01-05,AAPL,the profit rises\n")
    score(path)
    report = score(path, "--scorer", "finbert", "--model", tiny_bert.write_model(tmp_path / "model"))

    assert report["inserted"] == 1
    row = SentimentData.objects.get(model_id=report["model_id"])
    assert row.finbert_scores.keys() == {"positive", "negative", "neutral"}
    assert float(row.sentiment_score) == pytest.approx(
        row.finbert_scores["positive"] - row.finbert_scores["negative"], abs=2e-6
    )
    assert SentimentData.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("title,ticker\nA,AAPL\n", "published"),
        ("published,title\n2026-01-05,A\n", "symbol"),
        ("published,ticker\n2026-01-05,A\n", "headline"),
        ("", "empty"),
    ],
)
def test_what_a_file_leaves_open_is_asked_for(tmp_path, text, wanted):
    path = tmp_path / "news.csv"
    path.write_text(text)

    with pytest.raises(CommandError, match=wanted):
        score(path)


def test_a_cell_of_symbols_that_nothing_can_read_is_named_and_the_others_go_in(tmp_path):
    path = tmp_path / "news.csv"
    path.write_text("headline,decisions\nA,{'x': 'sideways'}\nB,{'y': 'neutral'}\nC,\"{'z' 'neutral'}\"\n")
    report = score(path, "--published", "2026-01-05")

    assert (report["inserted"], report["rejected"]) == (1, 2)
    assert [row["line"] for row in report["rejected_rows"]] == [2, 4]


def test_news_of_yahoo_s_search_keep_their_publishers_and_times(shared_data):
    report = score(shared_data / "news" / "yahoo_search_AAPL.json", "--symbol", "AAPL")

    assert (report["inserted"], report["rejected"]) == (4, 0)
    row = SentimentData.objects.get(headline="Apple (AAPL) Car Venture Hits Bump in Road")
    assert (row.news_source, row.timestamp.isoformat()) == ("Investopedia", "2021-02-09T15:01:28+00:00")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"news": [{"title": "A"}]}'])
def test_json_that_is_no_answer_of_yahoo_s_is_named(tmp_path, text):
    path = tmp_path / "news.json"
    path.write_text(text)

    with pytest.raises(CommandError, match="no answer of Yahoo's search"):
        score(path, "--symbol", "AAPL")
