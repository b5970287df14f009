"""When to train anew, and on which rows: only after a sign of change, within a budget, and again as the rows since the change grow.

A change test (watch/change.py) gives the sign. After one, training happens at once if the budget allows, on the rows since the change
where they fill a window, else on the newest window; and again each time the rows since the change have doubled, because a model fitted
soon after a change has seen few rows of the new world. Without a sign nothing is trained: on rows in random order no retraining is earned.
Pure: state in, state and decision out.
"""

from dataclasses import dataclass, replace

from homeostat.watch.change import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What may be spent, and what counts as a sign.

    `budget`: retrainings earned per batch, of which at most `saved` are kept. `level`: chance of a false alarm per batch. `pause`:
    batches between retrainings that signs cause, `growth_pause`: between those that growth causes. `growth`: how much the rows since the
    change must have grown, until they are `most_windows` windows, the most that is trained on.
    """

    budget: float = 0.19
    saved: float = 2.0
    level: float = 1e-4
    pause: int = 5
    growth_pause: int = 2
    growth: float = 2.0
    most_windows: float = 2.0

    def __post_init__(self) -> None:
        if not (0.0 < self.budget <= 1.0 and self.saved >= 1.0 and 0.0 < self.level < 1.0):
            raise ValueError(f"no budget, savings or level: {self.budget}, {self.saved}, {self.level}")
        if not (self.growth > 1.0 and self.most_windows >= 1.0 and self.pause >= 1 and self.growth_pause >= 1):
            raise ValueError(f"no growth, windows or pauses: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`trained_rows`: rows there were when the newest member was trained. `cut`: the row at which the last change began, None: no change yet.

    `since_training`: batches since the last retraining. `is_alarmed`: there was a sign since then.
    """

    tokens: float = 1.0
    trained_rows: int
    cut: int | None = None
    since_training: int = 1_000_000
    is_alarmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`rows`: train on that many of the newest rows; 0: do not train. `because` says why."""

    rows: int
    because: str


def renew(state: State, terms: Terms, change: Change, *, rows: int, window: int) -> tuple[State, Decision]:
    """Return what to do after a batch of labels, and the state to go on with.

    `rows`: labelled rows there are by now, the newest batch included; `window`: rows of an ordinary training window.
    """
    state = replace(
        state, tokens=min(terms.saved, state.tokens + terms.budget), since_training=state.since_training + 1
    )
    if change.p_value < terms.level:
        state = replace(state, cut=rows - change.rows, is_alarmed=True)
    reason = _reason(state, terms, change, rows=rows, window=window)
    if reason is None:
        return state, Decision(rows=0, because="no sign of change")
    if state.tokens < 1.0:
        return state, Decision(
            rows=0, because=f"{reason}; the budget of {terms.budget:g} retrainings per batch is used up"
        )
    assert state.cut is not None
    since_change = rows - state.cut
    wanted = window if since_change < window else min(since_change, int(terms.most_windows * window))
    spent = replace(state, tokens=state.tokens - 1.0, trained_rows=rows, since_training=0, is_alarmed=False)
    return spent, Decision(rows=min(wanted, rows), because=reason)


def _reason(state: State, terms: Terms, change: Change, *, rows: int, window: int) -> str | None:
    if state.is_alarmed and state.since_training >= terms.pause:
        return f"change in {change.what}" if change.p_value < terms.level else "change in an earlier batch"
    if state.cut is None or state.since_training < terms.growth_pause:
        return None
    seen = state.trained_rows - state.cut
    if 0 < seen < terms.most_windows * window and rows - state.cut >= terms.growth * seen:
        return f"{rows - state.cut} rows since the change, {seen} at the last training"
    return None
