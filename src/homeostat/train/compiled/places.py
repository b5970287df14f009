"""Where the outputs of a model stand among the classes of its signature, and what its inputs may be."""

from typing import Any

import numpy as np

from homeostat.core.columns import Kind, Signature
from homeostat.track.metric import class_indices
from homeostat.train.compiled.converter import NotConvertible

NUMBERS = frozenset([Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN])


def places_of(classes: Any, signature: Signature) -> list[int]:
    """Return the place of each of the model's classes among the signature's."""
    found = class_indices(np.asarray(classes), signature.classes)
    if (found < 0).any():
        raise NotConvertible("it answers classes that the signature does not have")
    return [int(place) for place in found]


def refuse_other_than_numbers(signature: Signature) -> None:
    """Raise NotConvertible where a column is no number: such a model has its own way of taking it."""
    other = [column.name for column in signature.columns if column.kind not in NUMBERS]
    if other:
        raise NotConvertible(f"the column '{other[0]}' is no number")
