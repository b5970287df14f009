"""What a backtest advises, in plain sentences: which policy to take, how sure that is, how fast changes were found, what it cost."""

from datetime import timedelta

from homeostat.core.duration import Duration
from homeostat.retrain.backtest_result import BacktestResult, Detection, PolicyResult

_SURE, _FAIRLY = 0.95, 0.8


def advice(result: BacktestResult, *, metric: str) -> list[str]:
    """Return the advice; `metric`: the primary one as people write it. Empty where nothing could be compared."""
    found = [*_recommended(result, metric), *(_alarms(one, result) for one in result.policies if one.detections)]
    costs = [f"{one.policy} {one.cost:,.6g}" for one in result.policies if one.cost is not None]
    return found + ([f"Cost of errors and trainings: {', '.join(costs)}."] if costs else [])


def _recommended(result: BacktestResult, metric: str) -> list[str]:
    it = result.recommendation
    chosen, best = (None, None) if it is None else (result.policy(it.policy), result.policy(it.best))
    if it is None or chosen is None or best is None:
        return []
    by = "cost" if it.by == "cost" else metric
    if it.policy == it.best:
        why = f"it has the best {by}, and none with fewer fits comes within {it.tolerance:.1%} of it"
    else:
        why = f"its {by} is within {it.tolerance:.1%} of the best, which is {it.best}'s, with {chosen.fits:,} fits, candidates counted, instead of {best.fits:,}"
    said = [f"Take {it.policy}: {why}."]
    sure = (
        "That is sure" if it.confidence >= _SURE else "That is fairly sure" if it.confidence >= _FAIRLY else "Not sure"
    )
    more = "" if it.confidence >= _FAIRLY else "; a longer history would tell more"
    apart = (
        ""
        if it.policy == it.best
        else f" Per step it was {it.difference:.3g} worse than the best (95 %: {it.low:.3g} to {it.high:.3g})."
    )
    said.append(
        f"{sure}: in {it.confidence:.0%} of 2,000 histories resampled from the {it.steps} steps it is within {it.tolerance:.1%} of the best{more}.{apart}"
    )
    return said


def _alarms(one: PolicyResult, result: BacktestResult) -> str:
    found = [each for each in one.detections if each.found is not None]
    late = ", ".join(_late(each, has_times=result.has_times) for each in found)
    after = f", after {late}" if late else ""
    false = f"; {one.false_alarms} of {len(one.steps)} steps had a false alarm" if one.false_alarms is not None else ""
    return f"{one.policy} found {len(found)} of {len(one.detections)} known changes{after}{false}."


def _late(one: Detection, *, has_times: bool) -> str:
    rows = f"{one.delay_rows:,} rows"
    if not has_times or one.delay_s is None:
        return rows
    return f"{Duration(minutes=round(timedelta(seconds=one.delay_s) / timedelta(minutes=1)))} ({rows})"
