"""Two entropies of a time series: of the order of its values, and of their distribution against a usual one."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

__all__ = ["permutation_entropy", "quantile_edges", "relative_entropy"]


def permutation_entropy(values: Sequence[float], *, order: int = 3) -> float:
    """
    Return how evenly the orderings of `order` values in a row occur: 1 for all alike, 0 for always the same.

    Shannon entropy of the frequencies of the ordinal patterns over ln(order!). Of equal values the earlier one counts
    as the smaller. White noise comes near 1; a random walk, at order 3, near 2.5 / log2(6) = 0.967.

    Args:
        values: at least `order` of them.

    Source: C. Bandt, B. Pompe, "Permutation entropy: a natural complexity measure for time series", Physical Review
    Letters 88 (2002).
    """
    patterns = Counter(
        tuple(sorted(range(order), key=values[start : start + order].__getitem__))
        for start in range(len(values) - order + 1)
    )
    total = patterns.total()
    entropy = -sum(count / total * math.log(count / total) for count in patterns.values())
    return entropy / math.log(math.factorial(order))


def quantile_edges(values: Sequence[float], *, bins: int) -> list[float]:
    """Return the `bins` - 1 values, each halfway between two of `values`, that cut them into equal parts."""
    ordered = sorted(values)
    cuts = [len(ordered) * number // bins for number in range(1, bins)]
    return [(ordered[cut - 1] + ordered[cut]) / 2 for cut in cuts]


def relative_entropy(values: Sequence[float], edges: Sequence[float]) -> tuple[float, float]:
    """
    Return (divergence, tails): how unlike the usual distribution `values` are, and the share in its outer two parts.

    The divergence is the Kullback-Leibler divergence, in nats, of the shares of `values` between `edges` from equal
    shares; 2 n times it is the G statistic, of chi-square with one degree of freedom less than there are parts, if the
    values are independent and as usual. 0 is as usual. A value that is an edge, as where a market did not move, counts
    in equal shares for all parts that it bounds.
    """
    bins = len(edges) + 1
    weights = [0.0] * bins
    for value in values:
        first, last = bisect_left(edges, value), bisect_right(edges, value)
        for part in range(first, last + 1):
            weights[part] += 1 / (last - first + 1)
    total = len(values)
    divergence = sum(weight / total * math.log(weight / total * bins) for weight in weights if weight)
    return max(divergence, 0.0), (weights[0] + weights[-1]) / total
