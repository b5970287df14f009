"""scikit-learn's histogram gradient boosting on columns of numbers."""

from typing import Any

from homeostat.core.columns import Signature, Task
from homeostat.train.compiled.boosted_trees import base_of, encoded_numbers, link_of, order_of, trees_onnx
from homeostat.train.compiled.converter import Converted, Converter, NotConvertible, is_of
from homeostat.train.compiled.places import places_of, refuse_other_than_numbers
from homeostat.train.compiled.plan import Plan

_NAMES = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


def convert(model: Any, signature: Signature) -> Converted:
    """Return the trees, one output per class (one for two classes)."""
    refuse_other_than_numbers(signature)
    if model.n_features_in_ != len(signature.columns):
        raise NotConvertible(f"it was fitted on {model.n_features_in_} features, rows have {len(signature.columns)}")
    encode = encoded_numbers(order_of(model))
    plan = Plan(
        converter=CONVERTER.name,
        encode=encode,
        input="x",
        output="raw",
        base=base_of(model),
        link=link_of(model),  # type: ignore[arg-type]
        places=[] if signature.task is Task.REGRESSION else places_of(model.classes_, signature),
    )
    return Converted(content=trees_onnx(model, width=model.n_features_in_), plan=plan)


CONVERTER = Converter(
    name="hist_gradient_boosting",
    rank=1,
    takes=lambda model: is_of(model, "sklearn.ensemble", *_NAMES),
    convert=convert,
)
