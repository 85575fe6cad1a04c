"""Two models of volatility that are fitted on the past now and then, and carried forward bar by bar between."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading_engine.extras import require_extra
from trading_engine.regime.measures import BARS_PER_YEAR, deviation

__all__ = ["GarchVolatility", "TurbulenceFilter", "load_models"]

_WANTED_BY: Final = "the regime detector ENHANCED"
# Both libraries fit returns in percent better than as fractions: the likelihood is flat near zero otherwise.
PERCENT: Final = 100.0
# J.P. Morgan/Reuters, RiskMetrics Technical Document (1996): decay of daily returns.
RISKMETRICS_DECAY: Final = 0.94


def load_models() -> None:
    """
    Import what both models are fitted with.

    Raises:
        ConfigurationError: the extra `regime` is not installed.
    """
    _garch_module()
    _markov_module()


def _garch_module() -> Any:
    return require_extra("arch.univariate", extra="regime", wanted_by=_WANTED_BY)


def _markov_module() -> Any:
    return require_extra("statsmodels.tsa.regime_switching.markov_regression", extra="regime", wanted_by=_WANTED_BY)


@dataclass(slots=True)
class _Garch:
    mean: float
    omega: float
    alpha: float
    beta: float


class GarchVolatility:
    """
    GARCH(1,1) with a constant mean: h' = omega + alpha * (r - mean)^2 + beta * h.

    Fitted by `arch` on percent returns with normal innovations. Where a fit does not converge or is not stationary the
    parameters before it stay; before any, those of RiskMetrics (0.94).

    Source: T. Bollerslev, "Generalized autoregressive conditional heteroskedasticity", J. of Econometrics 31 (1986).
    """

    def __init__(self) -> None:
        self._is = _Garch(0.0, 0.0, 1 - RISKMETRICS_DECAY, RISKMETRICS_DECAY)
        self._next = 0.0

    @property
    def annual_volatility(self) -> float:
        """The forecast for the next bar, per year, as a fraction."""
        return math.sqrt(self._next * BARS_PER_YEAR) / PERCENT

    @property
    def deviation(self) -> float:
        """The forecast standard deviation of the next bar's log return."""
        return math.sqrt(self._next) / PERCENT

    def refit(self, returns: Sequence[float]) -> None:
        """Fit on log returns, oldest first, and begin anew at their end."""
        percent = [PERCENT * value for value in returns]
        usual = deviation(percent)
        if (usual > 0 and self._fit(percent)) or not self._next:
            # Carried through the whole stretch, so that the level belongs to the parameters.
            self._next = usual**2
            for value in percent:
                self._step(value)
        else:
            self._step(percent[-1])

    def update(self, log_return: float) -> None:
        """Take the next return."""
        self._step(PERCENT * log_return)

    def _step(self, percent: float) -> None:
        self._next = self._is.omega + self._is.alpha * (percent - self._is.mean) ** 2 + self._is.beta * self._next

    def _fit(self, percent: Sequence[float]) -> bool:
        module = _garch_module()
        model = module.ConstantMean(percent, volatility=module.GARCH(p=1, q=1), rescale=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that fails says so in its flag
            fitted = model.fit(disp="off", show_warning=False)
        mean, omega, alpha, beta = (float(value) for value in fitted.params)
        if fitted.convergence_flag or not omega > 0 or not alpha + beta < 1:
            return False
        self._is = _Garch(mean, omega, alpha, beta)
        return True


class TurbulenceFilter:
    """
    How likely it is that returns now come from the turbulent one of two states.

    A hidden Markov chain of two states with normal returns of mean zero and a variance of each, fitted by
    statsmodels' MarkovRegression on percent returns. Between fits the chance is carried forward by the filter of
    Hamilton: predict by the chain, weigh by the likelihood of the return. It is the filtered chance, which knows
    nothing later, never the smoothed one. Until a first fit converges it is 0.

    Source: J. D. Hamilton, "A new approach to the economic analysis of nonstationary time series and the business
    cycle", Econometrica 57 (1989).
    """

    def __init__(self) -> None:
        self.probability = 0.0
        self._stay_calm = self._stay_turbulent = 1.0
        self._calm = self._turbulent = 0.0
        self._started = False

    def refit(self, returns: Sequence[float]) -> None:
        """Fit on log returns, oldest first, and begin anew at their end; a fit that fails changes nothing."""
        percent = [PERCENT * value for value in returns]
        if deviation(percent) > 0 and self._fit(percent):
            self._started, self.probability = True, 0.5
            for value in percent:
                self._step(value)
        elif self._started:
            self._step(percent[-1])

    def update(self, log_return: float) -> None:
        """Take the next return."""
        if self._started:
            self._step(PERCENT * log_return)

    def _step(self, percent: float) -> None:
        before = self.probability
        turbulent = before * self._stay_turbulent + (1 - before) * (1 - self._stay_calm)
        # The ratio of the two likelihoods, in logarithms: both are 0 in a float after a crash of ten deviations.
        log_ratio = 0.5 * (math.log(self._calm / self._turbulent) + percent**2 * (1 / self._calm - 1 / self._turbulent))
        odds = math.log(max(turbulent, 1e-300)) - math.log(max(1 - turbulent, 1e-300)) + log_ratio
        self.probability = 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0

    def _fit(self, percent: Sequence[float]) -> bool:
        model = _markov_module().MarkovRegression(percent, k_regimes=2, trend="n", switching_variance=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whether it converged is asked below
            try:
                fitted = model.fit(disp=False, maxiter=100)
            except (ArithmeticError, ValueError):  # no likelihood anywhere near: LinAlgError is a ValueError
                return False
        stay, leave, *variances = (float(value) for value in fitted.params)
        if not fitted.mle_retvals.get("converged") or not all(value > 0 for value in variances):
            return False
        states = sorted(zip(variances, (stay, 1 - leave), strict=True))
        (self._calm, self._stay_calm), (self._turbulent, self._stay_turbulent) = states
        return True
