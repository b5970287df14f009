"""lightgbm's scikit-learn models on columns of numbers: by onnxmltools, in single precision as lightgbm itself."""

import warnings
from typing import Any

from homeostat.core.columns import Signature, Task
from homeostat.train.compiled.converter import Converted, Converter, NotConvertible, is_of
from homeostat.train.compiled.places import places_of, refuse_other_than_numbers
from homeostat.train.compiled.plan import Plan


def convert(model: Any, signature: Signature) -> Converted:
    """Return what onnxmltools makes of it."""
    refuse_other_than_numbers(signature)
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [("x", FloatTensorType([None, len(signature.columns)]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = convert_lightgbm(model, initial_types=types, zipmap=False)
        except Exception as error:  # border: a converter of foreign models raises what it likes
            raise NotConvertible(f"onnxmltools: {type(error).__name__}: {str(error).splitlines()[0][:200]}") from error
    places = [] if signature.task is Task.REGRESSION else places_of(model.classes_, signature)
    plan = Plan(converter=CONVERTER.name, dtype="float", input="x", output=made.graph.output[-1].name, places=places)
    return Converted(content=bytes(made.SerializeToString()), plan=plan)


CONVERTER = Converter(name="lightgbm", rank=2, takes=lambda model: is_of(model, "lightgbm.sklearn"), convert=convert)
