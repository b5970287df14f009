"""Models of different ages as one model: a stack of past champions that answers like any other model, and can be packed like one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Signature, Task
from homeostat.core.errors import InvalidInput
from homeostat.retrain import stack as stacks
from homeostat.retrain.stack import Floats, Stack
from homeostat.track.metric import class_indices
from homeostat.track.predictions import Predictions
from homeostat.train.answers import ask


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A model of the stack and what it takes: members of different ages may know different classes."""

    model: Any
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StackedModel:
    """Members, oldest first, and the weights of their answers. `signature`: what the stack takes and answers.

    `renewal`: what the trainer that made it goes on from (retrain/stacking.py). `least` and `most` bound the numbers of a regression: weights may be negative, and then a sum can leave the range of the target.
    """

    members: tuple[Member, ...]
    stack: Stack
    signature: Signature
    least: float = -np.inf
    most: float = np.inf
    renewal: object = None

    @property
    def labels_follow_scores(self) -> bool:
        return True

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The classes in the order of `predict_proba`'s columns."""
        return np.asarray(self.signature.classes, dtype=object)

    def predict_proba(self, features: Any) -> Floats:
        """Return probabilities of shape (rows, classes)."""
        return stacks.probabilities(self.stack, answers_of(self.members, features, self.signature))

    def predict(self, features: Any) -> npt.NDArray[Any]:
        """Return labels or numbers, of shape (rows,)."""
        if self.signature.task is not Task.REGRESSION:
            return np.asarray(self.classes_[self.predict_proba(features).argmax(axis=1)])
        said = stacks.numbers(self.stack, answers_of(self.members, features, self.signature))
        return np.clip(said, self.least, self.most)


def answers_of(members: tuple[Member, ...], features: Any, signature: Signature) -> Floats:
    """Return what each member says of features (a pandas frame): (members, rows, classes), or (members, rows) for a regression.

    Raises InvalidInput where a member gives no probabilities: labels alone cannot be weighed.
    """
    said = [ask(one.model, features[list(one.signature.names)], one.signature) for one in members]
    return np.stack([aligned(one, signature) for one in said])


def aligned(said: Predictions, signature: Signature) -> Floats:
    """Return a member's numbers, or its probabilities of the signature's classes (0 for one that it does not know)."""
    if signature.task is Task.REGRESSION:
        return np.asarray(said.labels, dtype=np.float64)
    if said.scores is None:
        raise InvalidInput("a member of the stack gives no probabilities", hint="give the model a predict_proba")
    scores = np.zeros((len(said), len(signature.classes)))
    at = class_indices(said.classes, signature.classes)
    scores[:, at[at >= 0]] = said.scores[:, at >= 0]
    return scores


def weighed(members: tuple[Member, ...], signature: Signature, answers: Floats, y: npt.NDArray[Any]) -> StackedModel:
    """Return the stack whose weights follow from answers to labelled rows that no member was trained on; see `answers_of`.

    `y`: the true values, of shape (rows,). Rows of a class that the signature does not know teach nothing.
    """
    if signature.task is Task.REGRESSION:
        return StackedModel(
            members=members, stack=stacks.of_numbers(answers, y.astype(np.float64)), signature=signature
        )
    truth = class_indices(y, signature.classes)
    is_known = truth >= 0
    stack = stacks.of_probabilities(answers[:, is_known], truth[is_known])
    return StackedModel(members=members, stack=stack, signature=signature)
