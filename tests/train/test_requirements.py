import pytest

from homeostat.core.errors import InvalidInput
from homeostat.train.requirements import Recorded, installable, recorded, recorded_in, unmet

HERE = {"numpy": "2.1.0", "scikit-learn": "1.7.2", "torch": "2.8.0rc1"}.get


def reasons(*lines, python=None):
    return unmet(Recorded(python=python, lines=lines), installed=HERE, python="3.11.7")


def test_what_is_installed_meets_what_was_recorded():
    assert reasons("numpy==2.1.0", "scikit-learn>=1.6,<2", "torch>=2.7", python="3.11.2") == []
    assert reasons("homeostat==0.0.1", "pywin32==1.0; sys_platform == 'win32'") == []
    assert reasons() == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("numpy==1.26.4", "numpy==1.26.4 was recorded, 2.1.0 is installed"),
        ("scikit-learn<1.7", "scikit-learn<1.7 was recorded, 1.7.2 is installed"),
        ("shap", "shap was recorded, which is not installed"),
        ("-c constraints.txt", "'-c constraints.txt' was recorded, which is no name with a version"),
    ],
)
def test_each_that_is_not_met_is_named(line, told):
    assert reasons("torch", line) == [told]


def test_another_minor_version_of_python_is_named():
    assert reasons(python="3.12.1") == ["Python 3.12.1 was recorded, 3.11.7 runs here"]


def test_requirements_are_read_from_what_mlflow_writes():
    files = {
        "requirements.txt": "# made by hand\n\nmlflow==3.1.0\nscikit-learn==1.6.1  # the model's\n",
        "python_env.yaml": "python: 3.10.4\nbuild_dependencies: [pip]\ndependencies:\n- -r requirements.txt\n",
    }
    assert recorded(files.get) == Recorded(python="3.10.4", lines=("mlflow==3.1.0", "scikit-learn==1.6.1"))


def test_conda_says_it_where_nothing_else_does():
    text = "channels: [conda-forge]\ndependencies:\n- python=3.11.2\n- pip<=24\n- pip:\n  - mlflow==2.9\n  - numpy==1.26.4\n"
    assert recorded({"conda.yaml": text}.get) == Recorded(python="3.11.2", lines=("mlflow==2.9", "numpy==1.26.4"))


@pytest.mark.parametrize("text", ["- a\n- b", "{", "dependencies: 3", "dependencies: [3, {pip: x}]", ""])
def test_files_that_say_nothing_ask_for_nothing(text, tmp_path):
    (tmp_path / "conda.yaml").write_text(text)
    assert recorded_in(tmp_path) == Recorded()


@pytest.mark.parametrize(
    "line",
    [
        "--index-url http://elsewhere.example/simple",
        "-r /etc/passwd",
        "-e .",
        "./wheels/mine.whl",
        "mine @ file:///tmp/mine-1.0-py3-none-any.whl",
        "mine @ git+https://elsewhere.example/mine.git",
        "https://elsewhere.example/mine-1.0-py3-none-any.whl",
    ],
)
def test_nothing_that_a_model_names_is_opened(line):
    with pytest.raises(InvalidInput, match="is not installed for it"):
        list(installable(Recorded(lines=("numpy==2.0", line))))


def test_what_is_installed_for_a_model_is_what_counts_here():
    lines = ("homeostat==0.0.1", "numpy == 2.0", "pywin32; sys_platform == 'win32'", "mlflow[gateway]>=3")
    assert list(installable(Recorded(lines=lines))) == ["numpy==2.0", "mlflow[gateway]>=3"]
