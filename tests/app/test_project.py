import pytest

from homeostat.app.project import find, load, parse, schema
from homeostat.core.errors import InvalidProject, NotFound

GOOD = """\
model: sales
task: regression
data:
  source: sales.csv
  target: sold
  time: day
  label_delay: 7d
watch:
  window: 1w
serve:
  port: 8700
"""


def test_a_good_file_decodes_with_durations_as_people_write_them():
    project = parse(GOOD)
    assert project.data.label_delay.days == 7
    assert project.watch.window.days == 7
    assert project.retrain.cooldown.days == 1
    assert parse(GOOD + "train: model:train\n").training.function == "model:train"


@pytest.mark.parametrize(
    ("old", "new", "line", "says", "remedy"),
    [
        ("target: sold", "taget: sold", 5, "data.taget: unknown key 'taget'", "did you mean 'target'?"),
        ("task: regression", "task: regresion", 2, "task: Invalid enum value", "did you mean 'regression'?"),
        ("port: 8700", "port: many", 11, "serve.port: Expected `int`, got `str`", None),
        ("label_delay: 7d", "label_delay: soon", 7, "'soon' is not a duration", None),
        ("label_delay: 7d", "label_delay: 7", 7, "is not a duration", None),
        ("model: sales\n", "", 1, "'model' is missing", "model: ..."),
        ("model: sales", "model: ../sales", 1, "model:", None),
        ("model: sales", "model: sales\nmodel: b", 2, "'model' stands twice", "keep one"),
        ("model: sales", "model: [", 3, "not valid YAML", None),
        ("serve:\n", "record: {sample: 0}\nserve:\n", 10, "record.sample", "above 0"),
        ("port: 8700", "port: 99999", 11, "serve.port:", "a whole number of at most 65535"),
        ("model: sales", "model: my sales", 1, "model: not a name", "letters, digits"),
        ("  port: 8700", "\tport: 8700", 11, "not valid YAML", "indented by spaces"),
        ("window: 1w", "window: 1w\n  window_rows: 50", 10, "cannot both be set", "keep one"),
        (
            "serve:\n",
            "retrain:\n  triggers:\n    schedule: every day\nserve:\n",
            12,
            "is not a cron expression",
            "Mondays",
        ),
        ("serve:\n", "gate: {metrics: {r2: {min: 0.9, max: 0.1}}}\nserve:\n", 10, "0.9 is above max 0.1", "correct"),
    ],
)
def test_mistakes_are_named_by_file_line_path_and_remedy(old, new, line, says, remedy):
    with pytest.raises(InvalidProject) as caught:
        parse(GOOD.replace(old, new, 1))
    assert f"homeostat.yaml:{line}:" in caught.value.message
    assert says in caught.value.message
    if remedy is not None:
        assert remedy in caught.value.hint


@pytest.mark.parametrize(("text", "wanted"), [("auto", True), ("off", False), ("'off'", False), ("on", True)])
def test_compiled_is_off_as_people_write_it(text, wanted):
    project = parse(GOOD + f"  compiled: {text}\n")
    assert project.serve.may_be_compiled is wanted


def test_the_file_is_found_in_a_folder_above(tmp_path):
    (tmp_path / "homeostat.yaml").write_text(GOOD)
    (tmp_path / "a" / "b").mkdir(parents=True)
    place = load(find(tmp_path / "a" / "b"))
    assert place.root == tmp_path.resolve()
    with pytest.raises(NotFound, match=r"no homeostat\.yaml") as caught:
        find(tmp_path.parent)
    assert "homeostat init" in caught.value.hint


def test_a_folder_stands_for_the_file_in_it(tmp_path):
    (tmp_path / "homeostat.yaml").write_text(GOOD)
    assert load(tmp_path).root == tmp_path.resolve()
    with pytest.raises(InvalidProject, match="cannot read") as caught:
        load(tmp_path / "other.yaml")
    assert "homeostat.yaml" in caught.value.hint


def test_the_schema_names_every_key_and_is_json():
    import json

    found = json.loads(json.dumps(schema()))
    assert set(found["$defs"]["Project"]["properties"]) >= {
        "model",
        "task",
        "data",
        "train",
        "gate",
        "watch",
        "retrain",
    }


def test_keys_and_excluded_columns_may_be_hashed_or_dropped():
    text = GOOD.replace("  time: day\n", "  time: day\n  key: [shop]\n  exclude: [email]\n")
    project = parse(text + "record: {sample: 0.1, drop: [email, caller, params], hash: [shop]}\n")
    assert project.record.hash == ["shop"]
    assert project.key_column == "shop"
    assert parse(text.replace("port: 8700", "key: email")).key_column == "email"


@pytest.mark.parametrize(
    ("text", "number"), [("1e-9", 1e-9), ("5E-1", 0.5), ("1.0e-3", 0.001), (".5", 0.5), ("1", 1.0)]
)
def test_numbers_with_exponents_are_numbers(text, number):
    found = parse(f"model: m\ntask: binary\ndata: {{source: a.csv, target: y}}\nrecord: {{sample: {text}}}")
    assert found.record.sample == number
