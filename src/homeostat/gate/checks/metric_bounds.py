"""Each metric with a bound in homeostat.yaml (`gate.metrics`) is within it on the test rows.

The value itself is held against the bound, as whoever wrote the bound expects; the interval beside it says how sure that is.
"""

import math

from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.gate import compare
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import Bound, GateSettings
from homeostat.gate.stats import Interval
from homeostat.track import metrics
from homeostat.track.usual import defaults

NAME = "metric_bounds"


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    names = dict.fromkeys([*settings.metrics, *defaults(evidence.task)])
    return [result for name in names for result in _results(evidence, name, settings.metrics.get(name))]


def _results(evidence: Evidence, name: str, bound: Bound | None) -> list[Result]:
    """One result for each end of the bound; without a bound, the value for the record."""
    ends = [] if bound is None else [("least", bound.min), ("most", bound.max)]
    limits = [(which, limit) for which, limit in ends if limit is not None]
    try:
        _refuse_wrong_metric(evidence, name)
        if not limits:
            return [_recorded(evidence, name)]
        interval = _interval(evidence, name)
    except HomeostatError as error:
        reason = error.message + (f" ({error.hint})" if error.hint else "")
        return [Result(check=NAME, subject=name, passed=False if limits else None, reason=reason)]
    return [_held(name, interval, which, limit, _champion(evidence, name)) for which, limit in limits]


def _recorded(evidence: Evidence, name: str) -> Result:
    value = metrics.metric(name).compute(evidence.y, evidence.candidate)
    reason = f"{name} is not defined on these rows" if math.isnan(value) else "no bound declared"
    return Result(check=NAME, subject=name, passed=None, value=value, reason=reason, details=_champion(evidence, name))


def _held(name: str, interval: Interval, which: str, limit: float, details: dict[str, float]) -> Result:
    value = interval.estimate
    passed = value >= limit if which == "least" else value <= limit
    reason = f"{name} is {value:.4g}, wanted at {which} {limit:.4g}"
    if math.isnan(value):
        reason = f"{name} is NaN on these rows, wanted at {which} {limit:.4g}"
    elif interval.low < limit < interval.high:
        reason += " (the limit lies within the interval: with other rows it could be the other way)"
    return Result(
        check=NAME,
        subject=name,
        passed=passed,
        value=value,
        limit=limit,
        wanted=">=" if which == "least" else "<=",
        interval=interval,
        reason=reason,
        details=details,
    )


def _refuse_wrong_metric(evidence: Evidence, name: str) -> None:
    metric = metrics.metric(name)
    if evidence.task not in metric.tasks:
        raise InvalidInput(f"{name} is not a metric of {evidence.task.value} tasks")
    if metric.needs_scores and evidence.candidate.scores is None:
        raise InvalidInput(f"{name} needs probabilities and the model gives none")


def _interval(evidence: Evidence, name: str) -> Interval:
    """The interval in the metric's own sense: losses are turned round where higher is better."""
    loss = compare.loss_interval(
        evidence.y, evidence.candidate, name, rng=evidence.rng(f"{NAME} {name}"), resamples=500
    )
    ends = sorted(compare.as_loss(name, end) for end in (loss.low, loss.high))
    return Interval(
        estimate=compare.as_loss(name, loss.estimate),
        low=ends[0],
        high=ends[1],
        confidence=loss.confidence,
        error=loss.error,
    )


def _champion(evidence: Evidence, name: str) -> dict[str, float]:
    if evidence.champion is None:
        return {}
    return {"champion": metrics.metric(name).compute(evidence.y, evidence.champion)}


CHECK = Check(name=NAME, run=run)
