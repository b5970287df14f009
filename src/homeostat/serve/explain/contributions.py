"""What a method of explaining gives, and the choice of the output that it explains."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Signature, Task
from homeostat.core.errors import InvalidInput
from homeostat.core.values import Json

Matrix = npt.NDArray[np.float64]
Method = Literal["trees", "linear", "permutation"]
Unit = Literal["margin", "probability", "value"]


class NotExplainable(InvalidInput):
    """A version or a request that no method explains."""

    code = "not_explainable"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contributions:
    """`values` of shape (n_rows, n_columns, n_outputs), `base` (n_outputs,), `outputs` (n_rows, n_outputs): base plus the row's values.

    `classes`: the class of each output; of a single output, the positive one; empty for regression. `unit`: `margin` is what a classifier
    adds up before it makes a probability of it (log-odds where its loss is logistic), `value` what a regression answers. `background_rows`,
    `evaluations`: what the method asked the model, None where it asked nothing.
    """

    method: Method
    unit: Unit
    values: npt.NDArray[np.float64]
    base: Matrix
    outputs: Matrix
    classes: tuple[Any, ...] = ()
    background_rows: int | None = None
    evaluations: int | None = None

    def told(self, signature: Signature, labels: list[Any]) -> Json:
        """Return the contributions to each row's output as JSON-ready values: of the positive class, of more than two the answered one."""
        rows = []
        for at, label in enumerate(labels):
            output = 0 if self.values.shape[2] == 1 else self._of(signature, label)
            row: Json = {"prediction": label}
            if signature.task is not Task.REGRESSION:
                row["class"] = signature.classes[1] if len(signature.classes) == 2 else label
            row["base"] = float(self.base[output])
            row["output"] = float(self.outputs[at, output])
            row["contributions"] = dict(zip(signature.names, self.values[at, :, output].tolist(), strict=True))
            rows.append(row)
        return {
            "method": self.method,
            "unit": self.unit,
            "background_rows": self.background_rows,
            "evaluations": self.evaluations,
            "explanations": rows,
        }

    def _of(self, signature: Signature, label: Any) -> int:
        wanted = signature.classes[1] if len(signature.classes) == 2 else label
        return self.classes.index(wanted)
