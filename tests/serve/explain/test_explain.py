"""Contributions add up to what the model answers, belong to the input's own columns, and are what Shapley's rule says."""

import itertools
import math
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, PolynomialFeatures, StandardScaler

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.serve.explain.contributions import NotExplainable
from homeostat.serve.explain.explain import Explainer
from homeostat.serve.explain.permutation import MOST_ASKED, permuted
from homeostat.serve.table import Table
from homeostat.train.answers import ask
from homeostat.train.estimator import DefaultClassifier, DefaultRegressor
from homeostat.train.package import Package

SEED = 20240601
NUMBERS = tuple(Column(name=name, kind=Kind.FLOAT) for name in "abc")
MIXED = (
    Column(name="a", kind=Kind.FLOAT),
    Column(name="city", kind=Kind.CATEGORY),
    Column(name="b", kind=Kind.FLOAT, nullable=False),
    Column(name="at", kind=Kind.DATETIME),
)


def data(columns, rows=300, seed=SEED):
    draw = np.random.default_rng(seed)
    made = {}
    for column in columns:
        match column.kind:
            case Kind.FLOAT:
                made[column.name] = draw.normal(size=rows)
            case Kind.CATEGORY:
                made[column.name] = np.array(["Ulm", "Bonn", "Köln"], dtype=object)[draw.integers(0, 3, rows)]
            case _:
                days = draw.integers(0, 2000, rows).astype("timedelta64[D]")
                made[column.name] = np.datetime64("2020-01-01T00:00:00", "us") + days.astype("timedelta64[us]")
    return pd.DataFrame(made)


def truth(frame, task):
    score = frame["a"] + 0.5 * frame["b"] * frame["a"]
    if "city" in frame:
        score = score + (frame["city"] == "Ulm")
    if task is Task.REGRESSION:
        return score.to_numpy()
    if task is Task.BINARY:
        return np.where(score > 0, "yes", "no")
    return np.digitize(score, [-0.5, 0.5])


def signature(columns, task=Task.BINARY):
    classes = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: (0, 1, 2), Task.REGRESSION: ()}[task]
    return Signature(task=task, columns=columns, target="y", classes=classes)


def plain(value):
    if isinstance(value, datetime):
        return None if pd.isna(value) else value.to_pydatetime().replace(tzinfo=UTC)
    return None if pd.isna(value) else value


def table_of(frame, columns):
    rows = [tuple(plain(value) for value in row) for row in frame.itertuples(index=False)]
    return Table.of_rows(columns, rows)


def explained(model, columns, task=Task.BINARY, *, rows=None, background=None):
    """Return what is told of some rows, and the table that was asked."""
    table = table_of(data(columns, 7, SEED + 1) if rows is None else rows, columns)
    given = Package(model=model, signature=signature(columns, task))
    compared = data(columns, 40, SEED + 2) if background is None else background
    return Explainer(given, compared).explain(table), table, given


def fitted(model, columns, task=Task.BINARY):
    frame = data(columns)
    return model.fit(frame, truth(frame, task))


def check_sums(told, tolerance=1e-6):
    for row in told["explanations"]:
        assert math.fsum([row["base"], *row["contributions"].values()]) == pytest.approx(row["output"], abs=tolerance)


def check_outputs(told, table, package):
    """See that the output is what the model says of the row."""
    said = ask(package.model, table.pandas(), package.signature)
    assert [row["prediction"] for row in told["explanations"]] == said.labels.tolist()
    for at, row in enumerate(told["explanations"]):
        if told["unit"] == "value":
            assert row["output"] == pytest.approx(said.labels[at], abs=1e-9)
            continue
        p = said.scores[at, said.classes.index(row["class"])]
        if told["unit"] == "probability":
            assert row["output"] == pytest.approx(p, abs=1e-9)
        elif len(said.classes) == 2:
            assert row["class"] == said.classes[1]
            assert row["output"] == pytest.approx(math.log(p / (1 - p)), abs=1e-6)


ENCODED = ColumnTransformer(
    [
        ("n", StandardScaler(), ["b", "a"]),
        ("c", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["city"]),
    ]
)
TWO = (*MIXED[:3],)


@pytest.mark.parametrize(
    ("model", "columns", "task"),
    [
        (LogisticRegression(), NUMBERS, Task.BINARY),
        (LogisticRegression(), NUMBERS, Task.MULTICLASS),
        (LinearRegression(), NUMBERS, Task.REGRESSION),
        (make_pipeline(ENCODED, LogisticRegression()), TWO, Task.BINARY),
        (make_pipeline(ENCODED, LogisticRegression()), TWO, Task.MULTICLASS),
        (make_pipeline(ENCODED, LinearRegression()), TWO, Task.REGRESSION),
        (make_pipeline(StandardScaler(), SelectKBest(f_classif, k=2), LogisticRegression()), NUMBERS, Task.BINARY),
    ],
    ids=lambda each: (
        type(each).__name__
        if hasattr(each, "fit")
        else getattr(each, "value", str(len(each)) if isinstance(each, tuple) else "")
    ),
)
def test_linear_models_are_explained_exactly(model, columns, task):
    told, table, package = explained(fitted(model, columns, task), columns, task)
    assert (told["method"], told["unit"]) == ("linear", "value" if task is Task.REGRESSION else "margin")
    assert told["background_rows"] == 40
    check_sums(told)
    check_outputs(told, table, package)
    assert list(told["explanations"][0]["contributions"]) == [column.name for column in columns]


def test_one_hot_columns_are_folded_back_to_the_column_they_came_from():
    model = fitted(make_pipeline(ENCODED, LinearRegression()), TWO, Task.REGRESSION)
    background, row = data(TWO, 40, SEED + 2), data(TWO, 1, SEED + 1)
    told, *_ = explained(model, TWO, Task.REGRESSION, rows=row)
    moved = {name: background.assign(**{name: row[name][0]}) for name in row}  # a linear model: each column moves alone
    for name, part in told["explanations"][0]["contributions"].items():
        assert part == pytest.approx((model.predict(moved[name]) - model.predict(background)).mean(), abs=1e-9)


def test_features_of_several_columns_are_left_to_permutation():
    for mixes in (Normalizer(), PolynomialFeatures()):
        told, table, package = explained(fitted(make_pipeline(mixes, LogisticRegression()), NUMBERS), NUMBERS)
        assert (told["method"], told["unit"]) == ("permutation", "probability")
        check_sums(told, 1e-12)
        check_outputs(told, table, package)


def test_what_is_not_linear_in_its_answer_is_left_to_permutation():
    frame = data(NUMBERS)
    told, table, package = explained(PoissonRegressor().fit(frame, np.exp(frame["a"])), NUMBERS, Task.REGRESSION)
    assert told["method"] == "permutation"
    check_sums(told, 1e-9)
    check_outputs(told, table, package)


def trees():
    pytest.importorskip("shap", reason="the extra explain is not installed")
    named = [(column.name, column.kind.value) for column in NUMBERS]
    for task in Task:
        made = (
            DefaultRegressor(named)
            if task is Task.REGRESSION
            else DefaultClassifier(named, signature(NUMBERS, task).classes)
        )
        yield fitted(made, NUMBERS, task), NUMBERS, task
    yield fitted(DefaultClassifier(named, ("no", "yes"), calibrate="always"), NUMBERS), NUMBERS, Task.BINARY
    yield fitted(RandomForestClassifier(20, random_state=0), NUMBERS, Task.MULTICLASS), NUMBERS, Task.MULTICLASS
    yield fitted(GradientBoostingClassifier(random_state=0), NUMBERS), NUMBERS, Task.BINARY
    yield fitted(make_pipeline(ENCODED, GradientBoostingClassifier(random_state=0)), TWO), TWO, Task.BINARY
    timed = (MIXED[0], MIXED[2], MIXED[3])
    named = [(column.name, column.kind.value) for column in timed]
    yield fitted(DefaultClassifier(named, ("no", "yes")), timed), timed, Task.BINARY


@pytest.mark.filterwarnings("ignore")  # those of shap's import
def test_trees_are_explained_exactly_with_their_calibration():
    for model, columns, task in trees():
        told, table, package = explained(model, columns, task)
        is_forest = isinstance(model, RandomForestClassifier)
        unit = "value" if task is Task.REGRESSION else "probability" if is_forest else "margin"
        assert (told["method"], told["unit"]) == ("trees", unit), model
        check_sums(told)
        check_outputs(told, table, package)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", Task, ids=lambda task: task.value)
@pytest.mark.parametrize(("library", "kind"), [("xgboost", "XGB"), ("lightgbm", "LGBM")])
def test_boosted_trees_of_other_libraries_are_explained_exactly(library, kind, task):
    """They add 32 bits, and so to 1e-5; with numbers for classes, which is what XGBoost takes, and gaps among the rows."""
    pytest.importorskip("shap", reason="the extra explain is not installed")
    module = pytest.importorskip(library)
    columns, frame = NUMBERS, data(NUMBERS)
    frame.loc[::7, "b"] = np.nan
    y = truth(frame.fillna(0.0), task)
    y = (y == "yes").astype(int) if task is Task.BINARY else y
    made = getattr(module, f"{kind}{'Regressor' if task is Task.REGRESSION else 'Classifier'}")
    model = made(n_estimators=20, n_jobs=1, **({"verbosity": -1} if library == "lightgbm" else {})).fit(frame, y)
    classes = {Task.BINARY: (0, 1), Task.MULTICLASS: (0, 1, 2), Task.REGRESSION: ()}[task]
    package = Package(model=model, signature=Signature(task=task, columns=columns, target="y", classes=classes))
    rows = data(columns, 20, SEED + 1)
    rows.loc[::3, "a"] = np.nan
    table = table_of(rows, columns)
    told = Explainer(package, data(columns, 40, SEED + 2)).explain(table)
    assert (told["method"], told["unit"]) == ("trees", "value" if task is Task.REGRESSION else "margin")
    check_sums(told, 1e-5)
    said = ask(model, table.pandas(), package.signature)
    assert [row["prediction"] for row in told["explanations"]] == said.labels.tolist()
    for at, row in enumerate(told["explanations"]):
        if task is Task.REGRESSION:
            assert row["output"] == pytest.approx(said.labels[at], abs=1e-5)
        elif task is Task.BINARY:
            p = said.scores[at, 1]
            assert row["output"] == pytest.approx(math.log(p / (1 - p)), abs=1e-4)
    used = {name for row in told["explanations"] for name, value in row["contributions"].items() if abs(value) > 1e-3}
    assert {"a", "b"} <= used


def test_without_shap_in_a_versions_own_environment_trees_are_explained_by_permutation(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    model = fitted(RandomForestClassifier(5, random_state=0), NUMBERS)
    told, table, package = explained(model, NUMBERS)
    assert told["method"] == "permutation"
    check_sums(told, 1e-12)
    check_outputs(told, table, package)


@pytest.mark.filterwarnings("ignore")
def test_splits_by_category_which_shap_does_not_know_are_left_to_permutation():
    pytest.importorskip("shap", reason="the extra explain is not installed")
    named = [(column.name, column.kind.value) for column in MIXED]
    told, table, package = explained(fitted(DefaultClassifier(named, ("no", "yes")), MIXED), MIXED)
    assert (told["method"], told["unit"]) == ("permutation", "probability")
    check_sums(told, 1e-12)
    check_outputs(told, table, package)


class Rule:
    """Likely "yes" in Ulm where a is large: two columns that act together, one that does nothing."""

    def predict_proba(self, frame):
        p = np.clip(frame["a"].fillna(0.0).to_numpy() * (frame["city"] == "Ulm").to_numpy(), 0, 1)
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return np.where(self.predict_proba(frame)[:, 1] > 0.5, "yes", "no")


class OnlySays:
    def predict(self, frame):
        return np.where((frame["city"] == "Ulm").to_numpy() & (frame["a"] > 0).to_numpy(), "yes", "no")


def test_a_rule_is_explained_by_permutation_and_nulls_and_texts_are_no_hindrance():
    rows = pd.DataFrame({"a": [1.0, None], "city": ["Ulm", None], "b": [5.0, 6.0], "at": [pd.NaT, pd.NaT]}).astype(
        {"at": "datetime64[us]"}
    )
    told, table, package = explained(Rule(), MIXED, rows=rows)
    assert (told["method"], told["unit"], told["background_rows"]) == ("permutation", "probability", 40)
    assert 0 < told["evaluations"] <= MOST_ASKED
    check_sums(told, 1e-12)
    check_outputs(told, table, package)
    for row in told["explanations"]:
        assert row["contributions"]["b"] == row["contributions"]["at"] == 0.0
    said = explained(OnlySays(), MIXED, rows=rows)[0]["explanations"][0]
    assert (said["class"], said["output"]) == ("yes", 1.0)
    check_sums({"explanations": [said]}, 1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 6), st.integers(1, 4))
def test_permutation_adds_up_and_is_shapleys_value_where_pairs_interact(seed, columns, background, count):
    draw = np.random.default_rng(seed)
    weights, pairs = draw.normal(size=columns), draw.normal(size=(columns, columns))

    def answers(frame):
        x = frame.to_numpy()
        return (x @ weights + np.einsum("ri,ij,rj->r", x, pairs, x))[:, None]

    names = [f"x{n}" for n in range(columns)]
    compared = pd.DataFrame(draw.normal(size=(background, columns)), columns=names)
    rows = pd.DataFrame(draw.normal(size=(count, columns)), columns=names)
    values, base, outputs, used, _ = permuted(answers, rows, compared)
    assert used == background
    assert values.sum(axis=1) + base == pytest.approx(outputs, abs=1e-9)
    assert values[0, :, 0] == pytest.approx(shapley(answers, rows.iloc[0], compared), abs=1e-9)


def shapley(answers, row, background):
    """Return Shapley's values by their definition: over all sets of columns."""
    names = list(background)

    def worth(present):
        return float(answers(background.assign(**{name: row[name] for name in present})).mean())

    found = []
    for name in names:
        others = [each for each in names if each != name]
        total = 0.0
        for size in range(len(names)):
            for present in itertools.combinations(others, size):
                weight = math.factorial(size) * math.factorial(len(names) - size - 1) / math.factorial(len(names))
                total += weight * (worth([*present, name]) - worth(present))
        found.append(total)
    return found


def test_the_budget_bounds_what_the_model_is_asked():
    asked = 0

    def answers(frame):
        nonlocal asked
        asked += len(frame)
        return frame.to_numpy().sum(axis=1)[:, None]

    def of(rows, columns):
        return pd.DataFrame(np.ones((rows, columns)), columns=[f"x{n}" for n in range(columns)])

    for rows, columns in ((100, 30), (1, 3), (40, 500)):
        asked = 0
        *_, told = permuted(answers, of(rows, columns), of(100, columns) * 2)
        assert asked == told <= MOST_ASKED + 200
    with pytest.raises(NotExplainable, match="would ask the model more than"):
        permuted(answers, of(100, 5000), of(100, 5000))


class First:
    """Answers the first column: finite always, but the mean of such answers may be out of range."""

    def predict(self, frame):
        return frame["a"].to_numpy()


@pytest.mark.parametrize("model", [First(), "linear"])
def test_answers_that_cannot_be_added_up_are_refused_rather_than_told_as_null(model):
    rows = pd.DataFrame({"a": [1e308, -1e308], "b": [1e308, 0.5], "c": [1e308, 0.5]})
    if model == "linear":
        model = LinearRegression().fit(data(NUMBERS), data(NUMBERS).sum(axis=1))
        rows = rows.iloc[[1]]
    with pytest.raises(NotExplainable, match="beyond the range"):
        explained(model, NUMBERS, Task.REGRESSION, rows=rows, background=pd.concat([rows] * 20))
    assert explained(model, NUMBERS, Task.REGRESSION)[0]["explanations"]


def test_without_rows_to_compare_with_it_is_told_what_to_do():
    package = Package(model=Rule(), signature=signature(MIXED))
    with pytest.raises(NotExplainable, match="no rows to compare with"):
        Explainer(package, None).explain(table_of(data(MIXED, 2), MIXED))
