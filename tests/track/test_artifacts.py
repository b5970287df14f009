from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.errors import InvalidInput, NotAllowed
from homeostat.storage.blobs import inside
from homeostat.track.artifacts import (
    blob_at,
    blob_of,
    blob_of_uri,
    checked_location,
    is_below,
    safe_path,
    uri_of,
    writable_blob_of,
)


@given(st.text(alphabet="./\\%2eEfF5cC:#?;a\0\n ", max_size=30), st.integers(0, 3))
def test_a_path_that_passes_stays_inside_however_often_it_is_decoded(tmp_path_factory, text, times):
    root = tmp_path_factory.getbasetemp()
    sent = text
    for _ in range(times):
        sent = quote(sent, safe="")
    try:
        blob = blob_of(sent)
    except InvalidInput:
        return
    for path in (sent, text):
        assert ".." not in path.split("/")
        assert not path.startswith("/")
        assert "\\" not in path
    assert inside(root, blob).resolve().is_relative_to(root.resolve())


@pytest.mark.parametrize(
    "uri", ["mlflow-artifacts:/1/r/artifacts", "mlflow-artifacts:/runs/r/model", "mlflow-artifacts:/a b/ü"]
)
def test_addresses_and_blobs_are_two_names_of_one_thing(uri):
    assert uri_of(blob_of_uri(uri)) == uri
    assert uri_of(uri) == uri
    assert blob_at(uri) == blob_at(blob_of_uri(uri))


@pytest.mark.parametrize(
    "uri",
    [
        "", "/x", "file:///x", "s3://b/x", "http:///x", "mlflow-artifacts:x", "mlflow-artifacts://host/x", "mlflow-artifacts:///x",
        "mlflow-artifacts:/a#b", "mlflow-artifacts:/a?b", "mlflow-artifacts:/a;b", "mlflow-artifacts:/a%3Bb", "mlflow-artifacts:/a%253Fb",
        "mlflow-artifacts:/../x", "mlflow-artifacts:/a/%2e%2e/x",
    ],
)  # fmt: skip
def test_an_address_elsewhere_is_refused(uri):
    with pytest.raises(InvalidInput):
        blob_of_uri(uri)


@pytest.mark.parametrize("uri", ["mlflow-artifacts:/", "mlflow-artifacts:/runs", "mlflow-artifacts:/runs/x"])
def test_what_the_server_keeps_is_no_experiments_location(uri):
    with pytest.raises(InvalidInput):
        checked_location(uri)
    assert checked_location("mlflow-artifacts:/mine/") == "mlflow-artifacts:/mine"


def test_below_means_by_whole_folders():
    assert is_below("mlflow-artifacts:/1/r/artifacts/model", "artifacts/1/r/artifacts")
    assert is_below("artifacts/1/r/artifacts", "mlflow-artifacts:/1/r/artifacts")
    assert not is_below("mlflow-artifacts:/1/r/artifacts-of-another", "mlflow-artifacts:/1/r/artifacts")


def test_the_loops_files_are_readable_only():
    assert blob_of("runs/r/model") == "runs/r/model"
    with pytest.raises(NotAllowed):
        writable_blob_of("runs/r/model")
    assert writable_blob_of("runsx/r") == "artifacts/runsx/r"


def test_names_with_spaces_signs_and_other_letters_are_fine():
    for name in ("a b", "50% off", "x%20y", "ü/é.txt", "a+b=c&d", "..a", "a..b"):
        assert safe_path(name) == name
