"""A column of embeddings in two tables: by 64 random projections, and by the samples of both. Pure."""

import msgspec
import numpy as np
import polars as pl

from homeostat.core.columns import Kind
from homeostat.watch.adjust import benjamini_hochberg
from homeostat.watch.comparison.compare import facts_of, picture_of, shares_moved
from homeostat.watch.comparison.result import ColumnVerdict
from homeostat.watch.comparison.side import Side
from homeostat.watch.joint import Samples, measure_jointly
from homeostat.watch.method import Measured, Method
from homeostat.watch.methods import method
from homeostat.watch.multivariate import joint_methods
from homeostat.watch.profile.numeric import in_bins_of
from homeostat.watch.profile.vectors import VectorSketch, merged_vectors, vector_sketch
from homeostat.watch.settings import DriftSettings
from homeostat.watch.verdict import Drift, drift_of

PROJECTIONS = "projections"
JOINT = ("energy", "mmd")
VALUES = 8_000_000  # of vectors that are profiled at once
_SHOWN = 8


def compare_vectors(
    name: str, reference: VectorSketch, current: VectorSketch, *, settings: DriftSettings
) -> ColumnVerdict:
    """Return what was measured in a column of embeddings; its state waits for the p-values of all columns. Other sizes alarm."""
    ours, theirs = _side(reference), _side(current)
    if reference.size != current.size:
        because = f"it held vectors of {reference.size} numbers, and holds vectors of {current.size} now"
        return ColumnVerdict(
            name=name, kind=None, state="alarm", because=because, reference=facts_of(ours), current=facts_of(theirs)
        )
    drifts = shares_moved(name, ours, theirs, settings)
    fewest = min(reference.count, current.count)
    samples = [[one.to_numbers() for one in _like(reference, side).projections] for side in (reference, current)]
    of = method("wasserstein")
    found = [of.measure(before, after) for before, after in zip(*samples, strict=True)] if fewest else []
    drifts.append(_projected(name, found, rows=fewest, settings=settings))
    joint = []
    if fewest >= settings.min_rows:
        numbered = [str(at) for at in range(reference.size)]
        both = Samples.of(numbered, reference.sampled(), current.sampled())
        joint = measure_jointly(both, joint_methods(JOINT), alpha=settings.alpha)
    farthest = int(np.argmax([one.effect for one in found])) if found else None
    return ColumnVerdict(
        name=name,
        kind=None,
        state="unknown",
        because="",
        drifts=drifts,
        joint=joint,
        reference=facts_of(ours),
        current=facts_of(theirs),
        picture=None if farthest is None else picture_of(samples[0][farthest], samples[1][farthest]),
    )


def vectors_of_rows(column: pl.Series, size: int, *, like: VectorSketch | None = None) -> VectorSketch:
    """Return the profile of a whole column, a part at a time. `like` gives the bins."""
    whole: VectorSketch | None = None
    for part in column.to_frame().iter_slices(max(1, VALUES // size)):
        found = vector_sketch(part.to_series(), size, like=whole if whole is not None and whole.has_bins else like)
        whole = found if whole is None else merged_vectors(whole, found)
    return vector_sketch(column, size, like=like) if whole is None else whole


def vectors_alone(name: str, sketch: VectorSketch, *, is_gone: bool) -> ColumnVerdict:
    """Return the verdict on embeddings that only one of the tables has."""
    facts = facts_of(_side(sketch))
    return ColumnVerdict(
        name=name,
        kind=None,
        state="alarm" if is_gone else "warn",
        because="the current rows do not have it" if is_gone else "the reference does not have it",
        reference=facts if is_gone else None,
        current=None if is_gone else facts,
    )


def _projected(name: str, found: list[Measured], *, rows: int, settings: DriftSettings) -> Drift:
    """Return the largest normalised Wasserstein distance of a projection, with the least p-value after Benjamini-Hochberg over the 64.

    That p-value is the one of R. Simes 1986, "An improved Bonferroni procedure for multiple tests of significance", Biometrika 73.
    """
    known = [p for p in benjamini_hochberg([one.p_value for one in found]) if p is not None]
    measured = Measured(effect=max((one.effect for one in found), default=0.0), p_value=min(known) if known else None)
    of = method("wasserstein")
    largest = Method(name=PROJECTIONS, kinds=frozenset(), warn=of.warn, alarm=of.alarm, measure=lambda _a, _b: measured)
    return drift_of(name, largest, measured, rows=rows, settings=settings)


def _like(reference: VectorSketch, current: VectorSketch) -> VectorSketch:
    """Return the current profile in the reference's bins."""
    pairs = zip(reference.projections, current.projections, strict=True)
    return msgspec.structs.replace(current, projections=[in_bins_of(ours, theirs) for ours, theirs in pairs])


def _side(sketch: VectorSketch) -> Side:
    found = sketch.directions
    facts: dict[str, float | str] = {"numbers in a vector": sketch.size}
    if sketch.count:
        facts |= {
            "length of the mean": float(np.linalg.norm(found.centre)),
            "variance": found.variance,
            f"of it in {_SHOWN} directions": f"{found.explained(_SHOWN):.1%}",
        }
    return Side(
        kind=Kind.FLOAT, rows=sketch.rows, missing=sketch.nulls, spoilt=sketch.misshapen + sketch.spoilt, facts=facts
    )
