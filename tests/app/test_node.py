import shutil

from homeostat.app.node import node_of
from homeostat.app.project import Place, parse

PROJECT = parse("model: churn\ntask: binary\ndata: {source: a.csv, target: y}")


def test_a_state_folder_keeps_its_name_and_a_copy_gets_another(tmp_path):
    first = Place(project=PROJECT, root=tmp_path / "one")
    first.root.mkdir()
    name = node_of(first)
    assert len(name) == 8
    assert node_of(first) == name
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    other = node_of(Place(project=PROJECT, root=tmp_path / "two"))
    assert other != name
    assert node_of(Place(project=PROJECT, root=tmp_path / "two")) == other
    assert node_of(first) == name
