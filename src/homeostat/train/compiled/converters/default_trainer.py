"""Homeostat's own default models: boosted trees on encoded columns of any kind, with calibrated probabilities."""

from typing import Any

from homeostat.core.columns import Kind, Signature, Task
from homeostat.train.compiled.boosted_trees import base_of, link_of, order_of, trees_onnx
from homeostat.train.compiled.converter import Converted, Converter, is_of
from homeostat.train.compiled.plan import Encoded, How, Plan

_TIME: tuple[How, ...] = ("hour", "weekday", "month", "days")


def convert(model: Any, signature: Signature) -> Converted:
    """Return the trees, and a plan that encodes columns as the model's encoder does."""
    trees, encoder = model.trees_, model.encoder_
    whole = _columns(encoder, signature)
    kept = [whole[at] for at in encoder.kept_.tolist()]
    inputs = [_placed(kept[at], values) for at, values in order_of(trees)]
    calibration = getattr(model, "calibration_", None)
    is_regression = signature.task is Task.REGRESSION
    plan = Plan(
        converter=CONVERTER.name,
        encode=inputs,
        input="x",
        output="raw",
        base=base_of(trees),
        link=link_of(trees),  # type: ignore[arg-type]
        places=[] if is_regression else [int(place) for place in trees.classes_],
        tie="positive",
        slope=1.0 if calibration is None else calibration.slope,
        offset=0.0 if calibration is None else calibration.offset,
    )
    return Converted(content=trees_onnx(trees, width=len(inputs)), plan=plan)


def _columns(encoder: Any, signature: Signature) -> list[Encoded]:
    """Return every encoded column, those that are left out of the trees too."""
    at = {name: place for place, name in enumerate(signature.names)}
    found: list[Encoded] = []
    for name, kind in encoder.columns:
        match Kind(kind):
            case Kind.CATEGORY:
                known, has_others = encoder.codes_[name]
                codes: dict[str, float | None] = {str(value): float(code) for code, value in enumerate(known)}
                found.append(Encoded(source=at[name], how="code", codes=codes, other=_others() if has_others else None))
            case Kind.TEXT:
                found.append(Encoded(source=at[name], how="length"))
            case Kind.DATETIME:
                found += [Encoded(source=at[name], how=how) for how in _TIME]
            case _:
                found.append(Encoded(source=at[name], how="finite"))
    return found


def _placed(column: Encoded, values: list[float] | None) -> Encoded:
    """Return the column as the trees take it: codes become their places among the codes that were seen in training."""
    if values is None or column.how != "code":
        return column
    places: dict[float, float | None] = {value: float(place) for place, value in enumerate(values)}
    codes = {name: None if code is None else places.get(code) for name, code in column.codes.items()}
    other = None if column.other is None else places.get(column.other)
    return Encoded(source=column.source, how="code", codes=codes, other=other)


def _others() -> float:
    from homeostat.train.estimator import MOST_CODES

    return float(MOST_CODES)


CONVERTER = Converter(
    name="default_trainer",
    rank=0,
    takes=lambda model: is_of(model, "homeostat.train.estimator", "DefaultClassifier", "DefaultRegressor"),
    convert=convert,
)
