import sys

import pytest

from homeostat.core.plugins import modules, plugins

PLUGIN = "from types import SimpleNamespace\nTHING = SimpleNamespace(name={name!r})\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return what makes a package of modules by name and text."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(**texts):
        folder = tmp_path / "things_to_find"
        folder.mkdir()
        (folder / "__init__.py").touch()
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text)
        return "things_to_find", [str(folder)]

    yield make
    for name in [name for name in sys.modules if name.startswith("things_to_find")]:
        del sys.modules[name]


def test_a_new_file_is_a_new_plug_in_under_its_own_name(package):
    where = package(zebra=PLUGIN.format(name="ant"), bee=PLUGIN.format(name="wasp"))
    assert list(plugins(*where, "THING")) == ["ant", "wasp"]
    assert list(modules(*where)) == ["bee", "zebra"]


def test_a_misspelt_constant_is_no_silence(package):
    where = package(ant=PLUGIN.format(name="ant"), bee=PLUGIN.replace("THING", "TING").format(name="bee"))
    with pytest.raises(AttributeError, match="THING"):
        plugins(*where, "THING")
    assert list(plugins(*where, "THING", has_others=True)) == ["ant"]
