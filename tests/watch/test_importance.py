import numpy as np
import polars as pl

from homeostat.core.columns import Kind
from homeostat.watch.importance import importance


def test_what_the_answers_follow_is_important_and_noise_is_not():
    rng = np.random.default_rng(0)
    x, city = rng.normal(size=2000), rng.choice(["a", "b"], 2000)
    frame = pl.DataFrame({"x": x, "city": city, "noise": rng.normal(size=2000), "none": [None] * 2000}).cast(
        {"none": pl.Float64}
    )
    kinds = {"x": Kind.FLOAT, "city": Kind.CATEGORY, "noise": Kind.FLOAT, "none": Kind.FLOAT}
    found = importance(frame, kinds, 2 * x + (city == "a"))
    assert found["x"] == 1.0
    assert 0.02 < found["city"] < 0.3
    assert found["noise"] < 0.02
    assert found["none"] == 0.0


def test_few_rows_or_answers_all_alike_say_nothing():
    frame = pl.DataFrame({"x": np.arange(100.0)})
    assert importance(frame, {"x": Kind.FLOAT}, np.ones(100)) == {}
    assert importance(frame.head(10), {"x": Kind.FLOAT}, np.arange(10.0)) == {}
