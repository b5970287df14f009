import os

import pytest
from tests.retrain.results import policy, step
from tests.retrain.worlds import folder_with_rules, moving_world, project

from homeostat.core.duration import Duration
from homeostat.retrain import backtest_children
from homeostat.retrain.backtest_children import backtest_in_children
from homeostat.retrain.backtest_kept import MOST, Kept, code_of, key_of
from homeostat.retrain.comparison import Terms

ONE = policy("never", [step(0), step(1)])


def test_what_was_kept_is_found_again_and_what_is_broken_is_not(tmp_path):
    kept = Kept(tmp_path / "kept")
    assert kept.get("a") is None
    kept.put("a", ONE)
    assert kept.get("a") == ONE
    (tmp_path / "kept" / "a.json").write_text("{")
    assert kept.get("a") is None


def test_the_ones_used_longest_ago_give_way(tmp_path):
    kept = Kept(tmp_path)
    for k in range(MOST):
        kept.put(f"{k}", ONE)
        os.utime(tmp_path / f"{k}.json", (k, k))
    assert kept.get("0") is not None  # used just now
    kept.put("more", ONE)
    assert kept.get("1") is None
    assert kept.get("0") is not None


def test_the_key_follows_from_rows_settings_and_code_and_from_no_place(tmp_path):
    frame, other = tmp_path / "frame", tmp_path / "other"
    frame.write_bytes(b"rows")
    other.write_bytes(b"more rows")
    spec = {"name": "never", "step": 7, "frame": str(frame), "progress": "here", "stop": "there", "root": "a"}
    key = key_of(spec, frame=frame, code="c")
    assert key_of(spec | {"progress": "elsewhere", "root": "b"}, frame=frame, code="c") == key
    changed = [
        key_of(spec | {"step": 8}, frame=frame, code="c"),
        key_of(spec, frame=other, code="c"),
        key_of(spec, frame=frame, code="d"),
    ]
    assert len({key, *changed}) == 4


def test_the_code_is_the_projects_own_python_and_not_what_is_hidden(tmp_path):
    (tmp_path / ".venv").mkdir()
    before = code_of(tmp_path)
    (tmp_path / ".venv" / "x.py").write_text("1")
    (tmp_path / "notes.txt").write_text("1")
    assert code_of(tmp_path) == before
    (tmp_path / "model.py").write_text("1")
    assert code_of(tmp_path) != before


def test_a_backtest_that_was_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    root, asked = folder_with_rules(tmp_path), []
    run = backtest_children.run_child

    def counted(module, spec, **how):
        asked.append(spec["name"])
        if spec["name"] == "every_3" and asked.count("every_3") == 1:
            raise KeyboardInterrupt
        return run(module, spec, **how)

    monkeypatch.setattr(backtest_children, "run_child", counted)
    monkeypatch.setattr(backtest_children, "AT_ONCE", 1)
    seen = []

    def replayed():
        return backtest_in_children(
            moving_world(),
            project=project(),
            policies={"never": "never", "always": "always", "every_3": "every_3"},
            history=Duration(days=16),
            root=root,
            workdir=tmp_path / "work",
            terms=Terms(change_points=("1500",)),
            kept=Kept(tmp_path / "kept"),
            progress=seen.append,
        )

    with pytest.raises(KeyboardInterrupt):
        replayed()
    first = replayed()
    assert (asked.count("always"), asked.count("every_3")) == (1, 2)
    seen.clear()
    before = len(asked)
    again = replayed()
    assert len(asked) == before
    assert again.policies == first.policies
    assert sorted((told.policy, told.done) for told in seen) == [("always", 22), ("every_3", 22), ("never", 22)]
    assert first.recommendation == again.recommendation
    assert [one.false_alarms is not None for one in first.policies] == [True] * 3
