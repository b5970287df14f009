import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput
from homeostat.retrain.stacked import Member, answers_of, weighed
from homeostat.train.answers import ask

X = Column(name="x", kind=Kind.FLOAT)


def signature(task=Task.MULTICLASS, classes=("a", "b", "c")):
    return Signature(task=task, columns=(X,), target="y", classes=classes)


class Says:
    """Answers the same probabilities for every row, or the value of x times a number."""

    def __init__(self, said):
        self.said = said

    def predict_proba(self, features):
        return np.tile(self.said, (len(features), 1))

    def predict(self, features):
        if isinstance(self.said, float):
            return features["x"].to_numpy() * self.said
        return np.full(len(features), "a")


def test_members_of_other_classes_are_brought_together_and_the_right_one_gets_the_weight():
    members = (
        Member(Says([0.1, 0.9]), signature(classes=("a", "c"))),
        Member(Says([0.8, 0.1, 0.1]), signature()),
    )
    features, y = pd.DataFrame({"x": np.zeros(200)}), np.array(["c"] * 200)
    answers = answers_of(members, features, signature())
    assert answers[0, 0].tolist() == [0.1, 0.0, 0.9]
    found = weighed(members, signature(), answers, y)
    said = ask(pickle.loads(pickle.dumps(found)), features, signature())
    assert set(said.labels) == {"c"}
    assert said.scores[0, 2] > 0.6
    assert found.predict(features).tolist() == said.labels.tolist()


def test_a_class_that_the_stack_does_not_know_teaches_nothing():
    members = (
        Member(Says([0.2, 0.7, 0.1]), signature(classes=("a", "b", "z"))),
        Member(Says([0.5, 0.5]), signature(classes=("a", "b"))),
    )
    wanted = signature(classes=("a", "b"))
    features = pd.DataFrame({"x": np.zeros(3)})
    found = weighed(members, wanted, answers_of(members, features, wanted), np.array(["z", "z", "z"]))
    assert found.predict_proba(features)[0].tolist() == pytest.approx([0.5, 0.5])


def test_numbers_are_weighed_and_stay_within_their_bounds():
    wanted = signature(Task.REGRESSION, ())
    members = (Member(Says(2.0), wanted), Member(Says(0.0), wanted))
    features = pd.DataFrame({"x": np.linspace(1, 10, 300)})
    found = weighed(members, wanted, answers_of(members, features, wanted), 2.0 * features["x"].to_numpy())
    # the penalty draws towards the newest, which says 0
    assert found.predict(features) == pytest.approx(2.0 * features["x"].to_numpy(), abs=1.5)
    bounded = replace(found, least=5.0, most=10.0).predict(features)
    assert (bounded.min(), bounded.max()) == (5.0, 10.0)


def test_labels_alone_cannot_be_weighed():
    class Labels:
        def predict(self, features):
            return np.full(len(features), "a")

    with pytest.raises(InvalidInput, match="no probabilities"):
        answers_of((Member(Labels(), signature()),), pd.DataFrame({"x": [1.0]}), signature())
