"""Any model: columns take their values one after the other, in random orders, and each gets what the answer moved by.

Each order is asked forwards and backwards (antithetic sampling: Mitchell et al. 2022, "Sampling permutations for Shapley value estimation").
A column that has not got its value yet has those of the background, over which the answer is averaged. The sum over the columns is the
answer minus the base whatever the orders: only how it is shared among columns that act together depends on them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from homeostat.serve.explain.contributions import Matrix, NotExplainable

if TYPE_CHECKING:
    import pandas as pd

MOST_ASKED = 400_000  # rows that the model is asked for one request
MOST_CELLS = 40_000_000  # rows times columns: wide rows are dear
MOST_ORDERS = 10
_CELLS_AT_ONCE = 2_000_000


def permuted(
    ask: "Callable[[pd.DataFrame], Matrix]", rows: "pd.DataFrame", background: "pd.DataFrame", *, seed: int = 0
) -> tuple[npt.NDArray[np.float64], Matrix, Matrix, int, int]:
    """Return values of shape (n_rows, n_columns, n_outputs), base, outputs, the background rows that were used and the rows asked.

    `ask(frame)` answers shape (n, n_outputs). Raises NotExplainable where the budget does not allow even one order over one background row.
    """
    count, columns = rows.shape
    most = min(MOST_ASKED, MOST_CELLS // columns)
    share = most // count
    steps = 2 * columns
    if steps > share:
        raise NotExplainable(
            f"{count} rows of {columns} columns would ask the model more than {most:,} rows",
            hint=f"send at most {most // steps} rows at once" if steps <= most else "it has too many columns",
        )
    used = background.iloc[: max(1, min(len(background), share // steps))]
    orders = max(1, min(MOST_ORDERS, share // (steps * len(used))))
    draw = np.random.default_rng(seed)
    masks, drawn = _masks([draw.permutation(columns) for _ in range(orders)], columns)
    base = ask(used).mean(axis=0)
    outputs = ask(rows)
    values = np.zeros((count, columns, outputs.shape[1]))
    asked = len(used) + count
    for at in range(count):
        means = _means(ask, rows.iloc[[at]], used, masks)
        asked += len(masks) * len(used)
        start = 0
        for order in drawn:  # answers along an order: nothing, the first column, the first two, ..., all
            path = np.vstack([base, means[start : start + columns - 1], outputs[at]])
            values[at, order] += np.diff(path, axis=0)
            start += columns - 1
        values[at] /= len(drawn)
    return values, base, outputs, len(used), asked


def _masks(
    orders: list[npt.NDArray[np.intp]], columns: int
) -> tuple[npt.NDArray[np.bool_], list[npt.NDArray[np.intp]]]:
    """Return which columns have their values at each step between nothing and all, and the orders, forwards and backwards."""
    both = [each for order in orders for each in (order, order[::-1])]
    masks = np.zeros((len(both) * (columns - 1), columns), dtype=np.bool_)
    for number, order in enumerate(both):
        for step in range(1, columns):
            masks[number * (columns - 1) + step - 1, order[:step]] = True
    return masks, both


def _means(
    ask: "Callable[[pd.DataFrame], Matrix]",
    row: "pd.DataFrame",
    background: "pd.DataFrame",
    masks: npt.NDArray[np.bool_],
) -> Matrix:
    """Return the mean answer over the background for each mask."""
    height = len(background)
    step = max(1, _CELLS_AT_ONCE // (height * masks.shape[1]))
    found = []
    for start in range(0, len(masks), step):
        part = masks[start : start + step]
        answers = ask(_mixed(row, background, part))
        found.append(answers.reshape(len(part), height, -1).mean(axis=1))
    return np.vstack(found) if found else np.empty((0, 1))


def _mixed(row: "pd.DataFrame", background: "pd.DataFrame", masks: npt.NDArray[np.bool_]) -> "pd.DataFrame":
    """Return the background once for each mask, with the row's values where the mask says so."""
    import pandas as pd

    made = {}
    for at, name in enumerate(background.columns):
        values = np.tile(background[name].to_numpy(), len(masks))
        values[np.repeat(masks[:, at], len(background))] = row[name].to_numpy()[0]
        made[name] = pd.Series(values, dtype=values.dtype)
    return pd.DataFrame(made, columns=list(background.columns))
