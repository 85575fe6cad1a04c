"""Interleaved rounds: every method in every round, in shuffled order, so that a noisy minute hits all of them."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.server import computed_since, server_seconds

__all__ = ["Budget", "Line", "Section", "Sizes", "compare", "each", "whole"]

# Called with the records of one round; returns seconds per record, one figure per call or one for all.
Run = Callable[[Sequence[Any]], Sequence[float]]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int = 5
    threads: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    calls: int = 1000
    slow_calls: int = 300
    loop_steps: int = 20_000
    bulk_rows: int = 40_000
    slow_bulk_rows: int = 4_000
    memory_rows: int = 200_000
    thread_calls: int = 2_000
    slow_thread_calls: int = 500
    read_rows: int = 1_000_000
    large_rows: int = 10_000_000
    read_calls: int = 200
    slow_read_calls: int = 10
    bar_rows: int = 100_000
    bar_stock_rows: int = 1_000_000
    file_trades: int = 100_000


SMOKE = Sizes(
    rounds=2, threads=(1, 8), calls=20, slow_calls=10, loop_steps=200, bulk_rows=300, slow_bulk_rows=300,
    memory_rows=600, thread_calls=40, slow_thread_calls=40,
    read_rows=1_000, large_rows=2_000, read_calls=5, slow_read_calls=1,
    bar_rows=300, bar_stock_rows=3_000, file_trades=300,
)  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """A bound of the ratio to the reference: of time at most, of speed at least."""

    bound: float
    p99: float | None = None


@dataclass
class Line:
    """
    One method: seconds per record (medians over rounds), and its ratio to the reference in the same round.

    `cpu` is what this process computed for it and `server_cpu` what the server did, `cpu_ratio` the ratio of their
    sum: that is changed little by a busy disk or by other programs.
    """

    name: str
    p50: float
    p99: float
    ratio: float
    ratio_min: float
    ratio_max: float
    p99_ratio: float
    cpu: float
    server_cpu: float
    cpu_ratio: float
    budget: Budget | None = None

    @property
    def met(self) -> bool | None:
        if self.budget is None:
            return None
        return self.ratio <= self.budget.bound and (self.budget.p99 is None or self.p99_ratio <= self.budget.p99)


@dataclass
class Section:
    """A table of the report."""

    name: str
    title: str
    reference: str
    lines: list[Line] = field(default_factory=list)


def each(call: Callable[[Any], Any]) -> Run:
    """Time every call by itself."""

    def run(records: Sequence[Any]) -> list[float]:
        clock, taken = time.perf_counter, []
        for record in records:
            begun = clock()
            call(record)
            taken.append(clock() - begun)
        return taken

    return run


def whole(work: Callable[[Sequence[Any]], Any]) -> Run:
    """Time all records together, and say what one of them took."""

    def run(records: Sequence[Any]) -> list[float]:
        begun = time.perf_counter()
        work(records)
        return [(time.perf_counter() - begun) / len(records)]

    return run


def compare(
    section: Section,
    methods: dict[str, Run],
    *,
    rounds: int,
    records: Callable[[str], Sequence[Any]],
    before: Callable[[], None] = lambda: None,
    budgets: dict[str, Budget] | None = None,
) -> Section:
    """Run all methods in all rounds and fill the section; the first method is the reference."""
    p50s: dict[str, list[float]] = {name: [] for name in methods}
    p99s: dict[str, list[float]] = {name: [] for name in methods}
    cpus: dict[str, list[float]] = {name: [] for name in methods}
    servers: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name in random.sample(list(methods), len(methods)):
            before()
            told = records(name)
            gc.collect()  # nobody pays for what those before left behind
            computed, served = time.process_time(), server_seconds()
            taken = sorted(methods[name](told))
            cpus[name].append((time.process_time() - computed) / len(told))
            servers[name].append(computed_since(served) / len(told))
            p50s[name].append(_at(taken, 0.5))
            p99s[name].append(_at(taken, 0.99))
    for name in methods:
        section.lines.append(_line(name, section.reference, (p50s, p99s, cpus, servers), (budgets or {}).get(name)))
    return section


def _line(name: str, reference: str, figures: Sequence[dict[str, list[float]]], budget: Budget | None) -> Line:
    p50s, p99s, cpus, servers = figures
    ratios = _ratios(p50s[name], p50s[reference])
    both = {one: [sum(pair) for pair in zip(cpus[one], servers[one], strict=True)] for one in (name, reference)}
    return Line(
        name,
        p50=statistics.median(p50s[name]),
        p99=statistics.median(p99s[name]),
        ratio=statistics.median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        p99_ratio=statistics.median(_ratios(p99s[name], p99s[reference])),
        cpu=statistics.median(cpus[name]),
        server_cpu=statistics.median(servers[name]),
        cpu_ratio=statistics.median(_ratios(both[name], both[reference])),
        budget=budget,
    )


def _ratios(own: Iterable[float], reference: Iterable[float]) -> list[float]:
    return [one / other for one, other in zip(own, reference, strict=True)]


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
