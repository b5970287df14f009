from homeostat.registry.evaluated import told


def test_a_compiled_version_says_how_well_it_agrees():
    report = {
        "is_used": True,
        "because": "it agrees on all 9 rows, to 1e-16",
        "converter": "xgboost",
        "worst_row": {"a": 1},
    }
    assert told(report) == "compiled by xgboost: it agrees on all 9 rows, to 1e-16"


def test_one_that_was_refused_says_why_and_where():
    report = {"is_used": False, "because": "it differs by up to 0.01", "converter": "sklearn", "worst_row": {"a": 1}}
    assert told(report) == 'the original, not compiled by sklearn: it differs by up to 0.01; worst row {"a": 1}'
    assert told({"is_used": False, "because": "no converter takes a Rule"}).endswith(
        "compiled: no converter takes a Rule"
    )
