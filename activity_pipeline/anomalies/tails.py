"""Tail probabilities and ranges of over-dispersed counts and shares, vectorised.

Sources: the regularised incomplete beta function gives the negative binomial's and the
binomial's distribution functions (DLMF 8.17.5); an over-dispersed binomial is judged as a
binomial of the effective sample size n / dispersion (Korn and Graubard 1998).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import special, stats

from activity_pipeline.anomalies.grid import Bools, Floats, Ints

_LEAST_MEAN: Final = 0.05
_LEAST_P: Final = 1e-300
"""Smaller probabilities are stored as this: 0 would claim certainty."""


def count_p_value(observed: Floats, mean: Floats, dispersion: Floats) -> Floats:
    """Two-sided p-value of a count: twice the smaller tail of a negative binomial.

    Args:
        observed: Counts.
        mean: Expected counts.
        dispersion: Variance over mean, > 1.
    """
    size, chance = _negative_binomial(mean, dispersion)
    at_most = special.betainc(size, observed + 1, chance)
    at_least = np.where(observed > 0, special.betainc(np.maximum(observed, 1), size, 1 - chance), 1.0)
    p_value: Floats = np.clip(2 * np.minimum(at_most, at_least), _LEAST_P, 1.0)
    return p_value


def count_range(mean: Floats, dispersion: Floats, coverage: float) -> tuple[Floats, Floats]:
    """Central range of a negative binomial: the smallest and the largest usual count."""
    size, chance = _negative_binomial(mean, dispersion)
    tail = (1 - coverage) / 2
    lower, upper = (np.asarray(stats.nbinom.ppf(level, size, chance)) for level in (tail, 1 - tail))
    return lower, upper


def share_p_value(failures: Floats, events: Floats, share: Floats, dispersion: Floats) -> Floats:
    """Probability of at least so many failures among the events, one-sided.

    Args:
        failures: Failed events, > 0.
        events: Events, >= failures.
        share: Expected share, 0 to 1, both exclusive.
        dispersion: Variance over that of a binomial, >= 1.
    """
    hit, miss = failures / dispersion, (events - failures) / dispersion
    p_value: Floats = np.clip(special.betainc(hit, miss + 1, share), _LEAST_P, 1.0)
    return p_value


def share_limit(events: Floats, share: Floats, dispersion: Floats, p_value: float) -> Floats:
    """Largest usual failure share: the one whose `share_p_value` is `p_value`, at most 1.

    By bisection, to a millionth of the way.
    """
    usual, unusual = np.minimum(share, 1.0), np.ones_like(share)
    for _ in range(20):
        middle = (usual + unusual) / 2
        is_unusual = share_p_value(middle * events, events, share, dispersion) <= p_value
        usual, unusual = np.where(is_unusual, usual, middle), np.where(is_unusual, middle, unusual)
    return usual


def discoveries(day: Ints, p_value: Floats, tests: Ints, q: float) -> Bools:
    """Benjamini and Hochberg's procedure (1995) on each day's tests.

    Args:
        day: Day of each p-value, as an index into `tests`.
        p_value: The small p-values; tests that are not listed count as p = 1.
        tests: Number of tests of each day.
        q: False discovery rate.

    Returns:
        Which of the listed are discoveries.
    """
    order = np.lexsort((p_value, day))
    ordered_day, ordered_p = day[order], p_value[order]
    starts = np.searchsorted(ordered_day, ordered_day)
    rank = np.arange(len(order)) - starts + 1
    holds = ordered_p * tests[ordered_day] <= rank * q
    last_rank = np.zeros(len(tests), dtype=np.int64)
    np.maximum.at(last_rank, ordered_day[holds], rank[holds])
    found = np.empty(len(order), dtype=np.bool_)
    found[order] = rank <= last_rank[ordered_day]
    return found


def _negative_binomial(mean: Floats, dispersion: Floats) -> tuple[Floats, Floats]:
    """Size and success probability for a mean and a variance over mean."""
    return np.maximum(mean, _LEAST_MEAN) / (dispersion - 1), 1 / dispersion
