"""A Yahoo on the loopback: answers in the wire format of its chart service, out of recorded bars."""

from __future__ import annotations

import csv
import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from curl_cffi import requests


def recorded_bars(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file of bars as yfinance keeps them."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def chart(rows, *, symbol, zone, opens_at=dt.time(9, 30), instrument="EQUITY"):
    """Return the body of an answer of /v8/finance/chart; daily bars are stamped at the opening, as Yahoo does."""
    stamps = []
    for row in rows:
        moment = dt.datetime.fromisoformat(row.get("Datetime") or row["Date"])
        if moment.time() == dt.time():
            moment = dt.datetime.combine(moment.date(), opens_at, tzinfo=zone)
        stamps.append(int(moment.timestamp()))

    def column(name):
        return [float(row[name]) if row[name] else None for row in rows]

    days = {dt.datetime.fromtimestamp(stamp, zone).date() for stamp in stamps} or {dt.date(2020, 1, 2)}
    periods = [
        {
            "timezone": "X",
            "gmtoffset": 0,
            "start": int(dt.datetime.combine(day, dt.time(0, 1), tzinfo=zone).timestamp()),
            "end": int(dt.datetime.combine(day, dt.time(23, 59), tzinfo=zone).timestamp()),
        }
        for day in sorted(days)
    ]
    result = {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "instrumentType": instrument,
            "exchangeTimezoneName": str(zone),
            "priceHint": 2,
            "validRanges": ["1d", "5d", "max"],
            "tradingPeriods": [[period] for period in periods],
        },
        "indicators": {"quote": [{}], "adjclose": [{}]},
    }
    if rows:
        result["timestamp"] = stamps
        result["indicators"] = {
            "quote": [
                {name.lower(): column(name) for name in ("Open", "High", "Low", "Close")}
                | {"volume": [int(row["Volume"]) if row["Volume"] else None for row in rows]}
            ],
            "adjclose": [{"adjclose": column("Adj Close")}],
        }
    return {"chart": {"result": [result], "error": None}}


def refusal(reason):
    """Return the body in which Yahoo says why it gives no bars."""
    return {"chart": {"result": None, "error": {"code": "Not Found", "description": reason}}}


class YahooStub:
    """
    Serves `answers` (path → body, or (status, text)) and keeps the questions it was asked.

    An answer may be a list: one for each time bars are asked for, the last one from then on.
    """

    def __init__(self):
        self.answers = {}
        self.asked = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = stub.answer(self.path)
                content = body.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, target):
        """Return (status, text) for a request."""
        split = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        if split.path == "/v1/test/getcrumb":
            return 200, "crumb"
        if split.path.startswith("/v8/"):
            self.asked.append((split.path.rpartition("/")[2], query))
        found = self.answers.get(split.path.rpartition("/")[2], (404, json.dumps(refusal("No data found"))))
        if isinstance(found, list):
            # yfinance asks for one day first to learn the time zone, unless it remembers it.
            is_probe = query.get("range") == "1d"
            found = found[-1] if is_probe else found.pop(0) if len(found) > 1 else found[0]
        return found if isinstance(found, tuple) else (200, json.dumps(found))

    def session(self):
        """Return an HTTP session whose every request ends here."""
        address = self.address

        class LoopbackSession(requests.Session):
            def request(self, method, url, **options):
                split = urlsplit(url)
                return super().request(method, f"{address}{split.path}", **options)

            def get(self, url, **options):
                return self.request("GET", url, **options)

            def post(self, url, **options):
                return self.request("POST", url, **options)

        return LoopbackSession()

    def close(self):
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
