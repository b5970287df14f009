"""How rows become the inputs of a compiled model, and its outputs answers. What needs no ONNX is said in data."""

from typing import Literal

import msgspec

FOLDER, MODEL, PLAN, REPORT = "compiled", "model.onnx", "plan.json", "report.json"
How = Literal["number", "finite", "code", "lookup", "length", "hour", "weekday", "month", "days"]


class Encoded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input column, made of the column `source` of the rows. Nulls become NaN.

    `finite`: infinities become NaN too. `code`: text by `codes`, unknown text is `other` (None: NaN). `lookup`: a number by its place in
    `values`, unknown ones are NaN.
    """

    source: int
    how: How = "number"
    codes: dict[str, float | None] = {}
    values: list[float] = []
    other: float | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`encode` None: the rows' matrix as it is. `base` is added to each output, then comes `link`.

    `places`: for each output (two for one binary output) its place among the signature's classes. `tie`: which class of two has exactly
    one half. `slope`, `offset`: see train.calibration.
    """

    converter: str
    encode: list[Encoded] | None = None
    dtype: Literal["double", "float"] = "double"
    input: str
    output: str
    base: list[float] = []
    link: Literal["identity", "sigmoid", "softmax", "exp"] = "identity"
    places: list[int] = []
    tie: Literal["positive", "first"] = "first"
    slope: float = 1.0
    offset: float = 0.0
