import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.train.answers import ask
from homeostat.train.shortcuts import scores_decide, takes_matrix

NAMES = ["a", "b", "c"]


def signature(task=Task.BINARY, kinds=(Kind.FLOAT, Kind.FLOAT, Kind.INTEGER), *, nullable=False, names=NAMES):
    columns = [Column(name=n, kind=k, nullable=nullable) for n, k in zip(names, kinds, strict=True)]
    classes = () if task is Task.REGRESSION else tuple(range(2 if task is Task.BINARY else 3))
    return Signature(task=task, columns=tuple(columns), target="y", classes=classes)


def table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.integers(0, 9, n)})


def truth(frame, classes=2):
    return (frame["a"] + frame["c"] / 4 > 1).astype(int) + (frame["b"] > 1 if classes == 3 else 0)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=10),
        GradientBoostingClassifier(n_estimators=5),
        RandomForestClassifier(n_estimators=4, max_depth=3),
        DecisionTreeClassifier(max_depth=2),
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_is_known_answers_the_same_the_short_way(model, classes, monkeypatch):
    frame = table()
    fitted = model.fit(frame, truth(frame, classes))
    told = signature(Task.BINARY if classes == 2 else Task.MULTICLASS)
    assert takes_matrix(fitted, told)
    new = table(500, seed=1)
    short = ask(fitted, new.to_numpy(float), told)
    monkeypatch.setattr("homeostat.train.answers.scores_decide", lambda *_: False)
    whole = ask(fitted, new, told)
    assert short.labels.tolist() == whole.labels.tolist() == fitted.predict(new).tolist()
    assert np.array_equal(short.scores, whole.scores)


def test_a_regressor_takes_a_matrix_too():
    frame = table()
    assert takes_matrix(HistGradientBoostingRegressor(max_iter=5).fit(frame, frame["a"]), signature(Task.REGRESSION))


class Own(LogisticRegression):
    def predict(self, X):
        return np.zeros(len(X), dtype=int)


@pytest.mark.parametrize(
    "model",
    [
        Own(),
        make_pipeline(FunctionTransformer(lambda frame: frame[["a"]]), LogisticRegression()),
        make_pipeline(ColumnTransformer([("a", "passthrough", ["a"])]), LogisticRegression()),
        VotingClassifier([("a", LogisticRegression())]),
    ],
    ids=["own", "function", "columns", "inner models"],
)
def test_what_may_look_at_names_gets_its_table(model):
    frame = table()
    assert not takes_matrix(model.fit(frame, truth(frame)), signature())


@pytest.mark.parametrize(
    "told",
    [
        signature(names=["b", "a", "c"]),
        signature(kinds=(Kind.FLOAT, Kind.FLOAT, Kind.CATEGORY)),
        signature(nullable=True),
    ],
    ids=["another order", "a category", "an integer with nulls"],
)
def test_other_columns_than_those_of_the_fit_are_given_as_a_table(told):
    frame = table()
    assert not takes_matrix(LogisticRegression().fit(frame, truth(frame)), told)


def test_where_scores_are_equal_the_model_is_asked():
    tree = DecisionTreeClassifier().fit([[0.0], [0.0]], [0, 1])
    assert not scores_decide(tree, tree.predict_proba([[0.0]]))
    assert scores_decide(tree, np.array([[0.4, 0.6], [1.0, 0.0]]))
    assert not scores_decide(KNeighborsClassifier(), np.array([[0.4, 0.6]]))
    assert not scores_decide(Own(), np.array([[0.4, 0.6]]))
