"""What is said of a metric before its labels are there: a value, how far it may be trusted, and how well such values did before. Pure."""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

Light = Literal["green", "amber", "red"]
NEWEST = 12  # windows that a track record is made of
LEAST = 4  # below, there is no record to judge by


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """Mean distance of estimates to what was realised in earlier windows, beside that of `no change` (the value at training)."""

    windows: int
    error: float
    constant_error: float

    @property
    def beats(self) -> bool:
        """Whether the estimates were nearer than to assume that nothing changed; too few windows: the benefit of the doubt."""
        return self.windows < LEAST or self.error < self.constant_error


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """The metric of a window as `method` expects it, with two standard deviations of chance either way.

    `was`: the value at training. `light` and `because`: whether its assumptions hold. `calibration_error`: on the newest labelled window before this
    one; `auc`: how well this window's inputs can be told from the reference; `effective_rows`: of the weighted reference. Once labels are there:
    `realised`, and this window's own calibration error (`calibration`). Not `is_used`: the light is red, or its track record is no better than `no change`.
    """

    method: str
    metric: str
    value: float
    low: float
    high: float
    was: float
    rows: int
    light: Light
    because: str
    is_used: bool
    calibration_error: float | None = None
    auc: float | None = None
    effective_rows: float | None = None
    realised: float | None = None
    calibration: float | None = None
    track: Track | None = None


def track_of(earlier: Sequence[Estimate]) -> Track | None:
    """Return the record of the newest windows with labels, oldest first; None where there is none yet.

    >>> track_of([]) is None
    True
    """
    scored = [(one, one.realised) for one in earlier if one.realised is not None][-NEWEST:]
    if not scored:
        return None
    return Track(
        windows=len(scored),
        error=sum(abs(one.value - realised) for one, realised in scored) / len(scored),
        constant_error=sum(abs(one.was - realised) for one, realised in scored) / len(scored),
    )


def light_of(
    *, calibration_error: float | None, calibrated_on: int, auc: float | None, effective_rows: float | None
) -> tuple[Light, str]:
    """Return whether the assumptions of an estimate hold, and why.

    Scores that promised too much by 3 or 6 points beyond chance on the newest labelled window (losses: by as many hundredths of two of their standard
    deviations) mean that the concept changed; inputs that can
    be told from the reference with an area of 0.7 or 0.9 are partly or mostly such as it has not seen; a reference that is worth 500 or
    100 rows once weighted says little.

    >>> light_of(calibration_error=0.2, calibrated_on=1000, auc=0.55, effective_rows=None)[0]
    'red'
    """
    chance = 0.4 * math.sqrt(10 / calibrated_on) if calibrated_on else 0.0
    found: list[tuple[int, str]] = []
    if calibration_error is not None:
        beyond = calibration_error - chance
        told = f"calibration error {calibration_error:.3f} on the newest labelled window"
        found.append((2 if beyond >= 0.06 else 1 if beyond >= 0.03 else 0, told))
    if auc is not None:
        told = f"inputs told from the reference with an area of {auc:.2f}"
        found.append((2 if auc >= 0.9 else 1 if auc >= 0.7 else 0, told))
    if effective_rows is not None:
        told = f"reference worth {effective_rows:.0f} rows"
        found.append((2 if effective_rows < 100 else 1 if effective_rows < 500 else 0, told))
    worst = max((grade for grade, _ in found), default=1)
    lights: tuple[Light, ...] = ("green", "amber", "red")
    words = [told for grade, told in found if grade == worst] or ["its assumptions could not be looked at"]
    return lights[worst], "; ".join(words)
