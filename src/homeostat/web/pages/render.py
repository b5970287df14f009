"""From what was found to pages. Templates escape whatever they are given; only charts, which escape for themselves, go in as they are."""

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from homeostat.app.status import ModelStatus
from homeostat.app.watched import Watched
from homeostat.core.records.cycles import Cycle
from homeostat.core.records.watching import Incident, WindowVerdict
from homeostat.core.states import SHAPES
from homeostat.retrain.project import Project
from homeostat.track.metrics import metric as metric_named
from homeostat.watch.answered import answers_of, told
from homeostat.web.pages.charts import Point, over_time, reliability_curve

if TYPE_CHECKING:
    from jinja2 import Environment


class Step(NamedTuple):
    """What a person may do next, and the command for it."""

    words: str
    command: str


def overview(
    models: list[ModelStatus],
    *,
    project: Project,
    incidents: list[Incident],
    cycles: list[Cycle],
    here: str,
    inference: str,
) -> str:
    """Return the page of all models. `here`, `inference`: where both servers are asked, with a slash at the end."""
    return _rendered(
        "overview.html",
        models=models,
        project=project,
        incidents=incidents,
        cycles=cycles,
        here=here.rstrip("/"),
        inference=inference,
    )


def watch(found: Watched, *, is_own: bool, last: int) -> str:
    """Return the page of a model: performance, calibration, inputs, incidents and cycles. `is_own`: it is the project's, which commands are about."""
    windows, together = found.windows, found.together
    verdict = windows[-1].body["verdict"] if windows else {}
    metric = next((name for one in reversed(windows) if (name := _performance(one).get("metric"))), None)
    return _rendered(
        "watch.html",
        found=found,
        model=found.status.model,
        is_own=is_own,
        last=last,
        metric=metric and metric.replace("_", " "),
        is_higher_better=metric is not None and metric_named(metric).higher_is_better,
        performance=_safe(_performance_chart(windows, metric)),
        numbers=told(together),
        version=next((one.body["version"] for one in reversed(windows) if one.body.get("answers") is not None), None),
        of_what=_of_what(found),
        reliability=_safe(
            "" if together is None or together.reliability is None else reliability_curve(together.reliability)
        ),
        errors=_safe(_told_chart(windows, "calibration_error", name="calibration error over time", form=".1%")),
        shares=_safe(_shares_chart(windows)),
        measured=[*verdict.get("predictions", []), *verdict.get("columns", [])],
    )


def error(*, status: int, message: str, hint: str | None) -> str:
    """Return the page of an error."""
    return _rendered("error.html", status=status, message=message, hint=hint)


def style() -> str:
    """Return the style sheet of all pages."""
    return (resources.files(__package__) / "templates" / "style.css").read_text(encoding="utf-8")


def address(model: str) -> str:
    """Return where the page of a model is.

    >>> address("a/b c")
    '/models/a%2Fb%20c/watch'
    """
    return f"/models/{quote(model, safe='')}/watch"


def next_step(found: ModelStatus) -> Step | None:
    """Return what the project's owner may do about a model; None where there is nothing to do."""
    if found.cycle is not None and not found.cycle.state.is_over:
        waits = found.cycle.stage == "approval"
        asked = f"homeostat cycles approve {found.cycle.cycle_id[:12]} --by NAME"
        return Step("a new version waits for a person's word:", asked) if waits else None
    if found.champion is None:
        if found.ready is not None:
            return Step(
                f"version {found.ready} passed the gate; put it to work:", f"homeostat models promote {found.ready}"
            )
        return Step("train a first version:", "homeostat train")
    if not found.workers:
        return Step("nobody answers requests; start the server:", "homeostat up")
    if found.state == "alarm":
        return Step("see what moved, and say so if you know why:", "homeostat watch show")
    return None


def _of_what(found: Watched) -> str:
    """Return which probability the curve is about."""
    if found.together is None:
        return ""
    positive = found.together.columns.positive
    return (
        "Probability of the answer that was given." if positive is None else f"Probability of the answer '{positive}'."
    )


def _performance(one: WindowVerdict) -> dict[str, Any]:
    return one.body["verdict"].get("performance") or {}


def _performance_chart(windows: list[WindowVerdict], metric: str | None) -> str:
    """Return the metric over time, and what it was on held-out rows: the value with the loss that was found taken back."""
    if metric is None:
        return ""
    sign = 1.0 if metric_named(metric).higher_is_better else -1.0
    measured, before = [], []
    for one in windows:
        found, effect = _performance(one), (one.body["verdict"].get("decay") or {}).get("effect")
        value = found.get("value") if found.get("metric") == metric else None
        is_known = value is not None
        words = f"{one.window_start:%Y-%m-%d %H:%M}: {metric} {value:.4g}, {one.state}" if is_known else ""
        low, high = (found.get("low"), found.get("high")) if is_known else (None, None)
        measured.append(Point(at=one.window_start, value=value, low=low, high=high, state=one.state, told=words))
        was = None if value is None or effect is None else value + sign * effect
        before.append(Point(at=one.window_start, value=was))
    return over_time([(metric, measured), ("at training", before)], name=f"{metric} over time")


def _told_chart(windows: list[WindowVerdict], *names: str, name: str, form: str = ".3g") -> str:
    """Return the numbers of these names, of the answers of each window, over time."""
    kept = [(one, told(answers_of(one))) for one in windows]
    lines = [
        (
            key,
            [
                Point(at=one.window_start, value=numbers.get(key), told=_words(one, key, numbers.get(key)))
                for one, numbers in kept
            ],
        )
        for key in names
    ]
    return over_time(lines, name=name, form=form)


def _shares_chart(windows: list[WindowVerdict]) -> str:
    """Return what came true beside what was promised; of numbers, how far they were off."""
    shares = _told_chart(windows, "came_true", "promised", name="what came true and what was promised", form=".0%")
    return shares or _told_chart(windows, "mean_residual", name="mean of answer less label over time")


def _words(one: WindowVerdict, key: str, value: float | None) -> str:
    return "" if value is None else f"{one.window_start:%Y-%m-%d %H:%M}: {key.replace('_', ' ')} {value:.4g}"


def _safe(svg: str) -> Any:
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704 - a chart, in which every text is escaped


def _rendered(name: str, **values: Any) -> str:
    return _environment().get_template(name).render(values)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("homeostat.web.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    found.globals |= {"shapes": SHAPES, "address": address, "next_step": next_step}
    return found
