"""Features that say the target: a copy, a renaming, or columns that add up to it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

_SAMPLE = 200  # rows that rule out most pairs before all rows are looked at
_MAX_PAIRED = 300  # columns, so that pairs stay few
_ROUNDING = 1e-9
_SAME_ORDER = 0.99999
_MIN_ROWS = 20


def leaks(frame: pl.DataFrame, *, features: Sequence[str], target: str) -> dict[str, str]:
    """Return the features of a conformed frame that determine the target, with the reason.

    Found are: copies and one-to-one renamings; features with few values of which each goes with one value of the target; numbers that
    are the target on another scale; two numbers whose sum or difference is the target.
    """
    known = frame.filter(pl.col(target).is_not_null())
    found = {}
    for name in features:
        why = _alone(known[name], known[target])
        if why:
            found[name] = why
    if known[target].dtype.is_numeric() and known[target].n_unique() > 2:
        numbers = [name for name in features if name not in found and known[name].dtype.is_numeric()]
        found |= _pairs(known, numbers[:_MAX_PAIRED], target)
    return found


def _alone(feature: pl.Series, target: pl.Series) -> str | None:
    pairs = pl.DataFrame({"f": feature, "t": target}).drop_nulls()
    values = pairs["t"].n_unique()
    if values < 2 or pairs.height < max(_MIN_ROWS, target.len() // 2):
        return None
    if feature.dtype == target.dtype and bool((pairs["f"] == pairs["t"]).all()):
        return f"it is a copy of the target '{target.name}'"
    distinct = pairs["f"].n_unique()
    if distinct <= pairs.height // 10 and pairs.n_unique() == distinct:
        told = "it is" if distinct == values else "each of its values goes with one value of"
        return f"{told} the target '{target.name}'" + (" under another name" if distinct == values else "")
    if feature.dtype.is_numeric() and target.dtype.is_numeric() and values > 2 and _is_rescaled(pairs):
        return f"it is the target '{target.name}' on another scale"
    return None


def _is_rescaled(pairs: pl.DataFrame) -> bool:
    numbers = pairs.cast(pl.Float64).to_numpy()
    numbers = numbers[np.isfinite(numbers).all(axis=1)]
    if len(numbers) < _MIN_ROWS or (numbers.std(axis=0) == 0).any():
        return False
    return bool(abs(np.corrcoef(numbers, rowvar=False)[0, 1]) > _SAME_ORDER)


def _pairs(frame: pl.DataFrame, names: Sequence[str], target: str) -> dict[str, str]:
    """Return the pairs of numbers whose sum or difference is the target: a sample of rows first, then all rows."""
    if len(names) < 2:
        return {}
    whole = frame.select(target, *names).cast(pl.Float64).drop_nulls()
    if whole.height < _MIN_ROWS:
        return {}
    step = max(1, whole.height // _SAMPLE)
    sample = whole.gather_every(step).to_numpy()
    wanted, columns = sample[:, 0], sample[:, 1:]
    found = {}
    for sign, word in ((1.0, "add up to"), (-1.0, "differ by")):
        for i in range(len(names)):
            close = np.all(_equal(columns[:, [i]] + sign * columns, wanted[:, None]), axis=0)
            for j in np.flatnonzero(close):
                if (i < j or (sign < 0 and i != j)) and _holds(whole, names[i], names[int(j)], sign, target):
                    for name, other in ((names[i], names[int(j)]), (names[int(j)], names[i])):
                        found[name] = f"'{name}' and '{other}' {word} the target '{target}'"
    return {name: why.replace(f"'{name}' and", "it and", 1) for name, why in found.items()}


def _holds(whole: pl.DataFrame, first: str, second: str, sign: float, target: str) -> bool:
    parts = whole[first].to_numpy(), whole[second].to_numpy()
    is_trivial = any(not part.any() for part in parts)
    return not is_trivial and bool(_equal(parts[0] + sign * parts[1], whole[target].to_numpy()).all())


def _equal(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    with np.errstate(all="ignore"):
        close: npt.NDArray[np.bool_] = np.abs(left - right) <= _ROUNDING * np.maximum(1.0, np.abs(right))
    return close
