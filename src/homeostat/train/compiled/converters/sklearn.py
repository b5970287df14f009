"""scikit-learn's other estimators, and pipelines of them, on columns of numbers: by skl2onnx."""

import warnings
from typing import Any

from homeostat.core.columns import Signature, Task
from homeostat.train.compiled.converter import Converted, Converter, NotConvertible, is_of
from homeostat.train.compiled.places import places_of, refuse_other_than_numbers
from homeostat.train.compiled.plan import Plan


def convert(model: Any, signature: Signature) -> Converted:
    """Return what skl2onnx makes of it, in doubles where it can."""
    refuse_other_than_numbers(signature)
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType

    is_regression = signature.task is Task.REGRESSION
    if not is_regression and not hasattr(model, "predict_proba"):
        raise NotConvertible("it gives no probabilities")
    options = {} if is_regression else {id(model): {"zipmap": False}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = convert_sklearn(
                model, initial_types=[("x", DoubleTensorType([None, len(signature.columns)]))], options=options
            )
        except Exception as error:  # border: a converter of foreign models raises what it likes
            raise NotConvertible(f"skl2onnx: {type(error).__name__}: {str(error).splitlines()[0][:200]}") from error
    output = made.graph.output[-1].name
    places = [] if is_regression else places_of(model.classes_, signature)
    plan = Plan(converter=CONVERTER.name, input="x", output=output, places=places)
    return Converted(content=bytes(made.SerializeToString()), plan=plan)


CONVERTER = Converter(
    name="sklearn", rank=5, takes=lambda model: is_of(model, "sklearn", "BaseEstimator"), convert=convert
)
