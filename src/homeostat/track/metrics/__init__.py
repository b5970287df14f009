"""The metrics, one file each; every module here with a `METRIC` is one."""

from collections.abc import Iterable, Mapping

from homeostat.core.errors import InvalidInput, NotFound, near
from homeostat.core.plugins import plugins
from homeostat.track.metric import Array, Metric
from homeostat.track.predictions import Predictions

METRICS: Mapping[str, Metric] = plugins(__name__, __path__, "METRIC")


def metric(name: str) -> Metric:
    """Return the metric of that name; raise NotFound with near names."""
    if name not in METRICS:
        raise NotFound(f"no metric '{name}'", hint=near(name, METRICS))
    return METRICS[name]


def compute(names: Iterable[str], y: Array, predictions: Predictions) -> dict[str, float]:
    """Return the metrics by name, without those that need scores where there are none and those not defined on these rows."""
    if len(y) != len(predictions):
        raise InvalidInput(
            f"{len(predictions)} predictions for {len(y)} true values", hint="give one prediction for each true value"
        )
    chosen = [metric(name) for name in names]
    usable = [one for one in chosen if predictions.scores is not None or not one.needs_scores]
    values = {one.name: one.compute(y, predictions) for one in usable}
    return {name: value for name, value in values.items() if value == value}  # noqa: PLR0124 - NaN is not itself
