"""Results of backtests by hand."""

from datetime import UTC, datetime, timedelta

from homeostat.retrain.backtest_result import BacktestResult, PolicyResult, StepResult, Turn

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 100


def turn(at: datetime, action: str = "none", trigger: str | None = None, **told) -> Turn:
    return Turn(at=at.isoformat(), action=action, because="a test", trigger=trigger, **told)


def step(index: int, *, metrics: dict | None = None, acted: Turn | None = None, **told) -> StepResult:
    """A step of a day and 100 rows."""
    start, end = BEGIN + timedelta(days=index), BEGIN + timedelta(days=index + 1)
    return StepResult(
        index=index,
        start=start.isoformat(),
        end=end.isoformat(),
        rows=ROWS,
        answered=ROWS,
        version=1,
        metrics=metrics or {},
        turn=acted or turn(end),
        **told,
    )


def policy(name: str, steps: list[StepResult], *, fits: int = 1, start: Turn | None = None) -> PolicyResult:
    return PolicyResult(
        policy=name,
        description="",
        start=start or turn(BEGIN, "promoted", "first", version=1, rows=ROWS),
        steps=steps,
        metrics={},
        mean_metrics={},
        rows=ROWS * len(steps),
        answered=ROWS * len(steps),
        alerts=0,
        retrainings=0,
        fits=fits,
        cpu_s=float(fits),
        wall_s=1.0,
    )


def result_of(*, higher: bool = False, **policies: dict) -> BacktestResult:
    """Policies by `losses` of each step, `fits`, the `error` of every step, and how many first steps trained (`cycles`)."""
    made = []
    for name, told in policies.items():
        steps = []
        for k, loss in enumerate(told["losses"]):
            trained = turn(BEGIN, "promoted", "schedule") if k < told.get("cycles", 0) else None
            metrics = {"log_loss": float(loss), "error": told.get("error", 0.1)}
            steps.append(step(k, metrics=metrics, acted=trained))
        made.append(policy(name, steps, fits=told["fits"]))
    return BacktestResult(
        model="m",
        task="binary",
        target="y",
        primary="log_loss",
        higher_is_better={"log_loss": higher},
        has_times=True,
        history_rows=100,
        replayed_rows=100,
        begin=BEGIN.isoformat(),
        end=BEGIN.isoformat(),
        label_delay="0s",
        policies=made,
    )
