"""The shipped contract on a real S3 server (moto's server mode)."""

import os
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from homeostat.app.wiring import open_blobs
from homeostat.core.errors import InvalidInput, NotAllowed, NotFound, Unreachable
from homeostat.storage.blob_cache import BlobCache
from homeostat.storage.blobs_object import ObjectBlobs
from homeostat.testing.contracts.blobs import BlobsContract

pytest.importorskip("obstore", reason="no object store here: obstore is not installed")

_BUCKETS = count(1)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Run an S3 server and return its address."""
    server_module = pytest.importorskip("moto.server", reason="no S3 server here: moto is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def options(address: str) -> dict[str, object]:
    return {
        "endpoint": address,
        "access_key_id": "a",
        "secret_access_key": "b",
        "region": "us-east-1",
        "client_options": {"allow_http": True},
    }


def cache(folder: Path) -> BlobCache:
    return BlobCache(folder, most_bytes=10**9)


def make_bucket(address: str) -> str:
    import http.client

    name = f"bucket-{os.getpid()}-{next(_BUCKETS)}"
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    connection.request(
        "PUT", f"/{name}", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request"}
    )
    assert connection.getresponse().status == 200
    connection.close()
    return name


def open_parts(address: str, bucket: str) -> int:
    """Return how many uploads were begun and neither completed nor aborted."""
    import http.client

    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    connection.request(
        "GET",
        f"/{bucket}?uploads",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request"},
    )
    body = connection.getresponse().read().decode()
    connection.close()
    return body.count("<Upload>")


class TestObjectBlobs(BlobsContract):
    @pytest.fixture(autouse=True)
    def _server(self, s3: str) -> None:
        self.address = s3

    def blobs(self, tmp_path: Path) -> ObjectBlobs:
        self.bucket = make_bucket(self.address)
        return ObjectBlobs(
            f"s3://{self.bucket}/below/here", cache=cache(tmp_path / "cache"), options=options(self.address)
        )

    def test_a_large_upload_goes_in_parts_and_a_broken_one_leaves_none(self, tmp_path):
        store = self.blobs(tmp_path)
        piece = bytes(range(256)) * 8192  # 2 MB
        with store.upload("big") as file:
            for _ in range(9):
                file.write(piece)
        assert store.size("big") == 9 * len(piece)
        assert b"".join(store.chunks("big")) == piece * 9
        with pytest.raises(RuntimeError), store.upload("half") as file:  # noqa: PT012 - the block is the upload
            for _ in range(9):
                file.write(piece)
            raise RuntimeError
        assert not store.exists("half")
        assert open_parts(self.address, self.bucket) == 0

    def test_names_as_people_give_them_come_back(self, tmp_path):
        store = self.blobs(tmp_path)
        for name in ("a b.txt", "é/ü.txt", "100%.txt", "a+b&c=d.txt", "a#b?c.txt", "x~y", "[1].csv", "a:b"):
            store.put_bytes(f"odd/{name}", name.encode())
            assert store.get_bytes(f"odd/{name}") == name.encode(), name
            assert store.local(f"odd/{name}").read_bytes() == name.encode()
        assert len(store.entries("odd")) == 8

    def test_the_cache_follows_the_store(self, tmp_path):
        store = self.blobs(tmp_path)
        store.put_bytes("t/a", b"1")
        first = store.local("t")
        assert store.local("t") == first
        store.put_bytes("t/a", b"2")
        assert (store.local("t") / "a").read_bytes() == b"2"
        assert (first / "a").read_bytes() == b"1"

    def test_a_file_takes_no_folders_place(self, tmp_path):
        store = self.blobs(tmp_path)
        store.put_bytes("folder/a", b"a")
        with pytest.raises(InvalidInput, match="is a folder"):
            store.put_bytes("folder", b"a")
        store.delete("folder")
        store.put_bytes("folder", b"now a file")
        assert store.get_bytes("folder") == b"now a file"

    def test_nothing_is_seen_outside_the_prefix(self, tmp_path):
        store = self.blobs(tmp_path)
        store.put_bytes("a", b"1")
        whole = ObjectBlobs(f"s3://{self.bucket}", cache=cache(tmp_path / "c"), options=options(self.address))
        assert whole.get_bytes("below/here/a") == b"1"
        whole.put_bytes("below/here-not/b", b"2")
        assert [entry.name for entry in store.entries("a")] == []
        assert not store.exists("here-not")

    def test_ten_uploads_at_once_do_not_mix(self, tmp_path):
        store = self.blobs(tmp_path)

        def work(number: int) -> None:
            with store.upload(f"file{number}") as file:
                for _ in range(5):
                    file.write(bytes([number]) * 100_000)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(10):
            assert store.get_bytes(f"file{number}") == bytes([number]) * 500_000


def test_a_store_that_is_not_there_is_unreachable(tmp_path):
    store = ObjectBlobs(
        "s3://bucket",
        cache=cache(tmp_path),
        options={**options("http://127.0.0.1:1"), "retry_config": {"max_retries": 0}},
    )
    with pytest.raises(Unreachable):
        store.put_bytes("a", b"x")
    with pytest.raises(Unreachable), store.upload("a") as file:
        file.write(b"x")


def test_a_bucket_that_is_not_there_is_said(s3, tmp_path):
    store = ObjectBlobs("s3://no-such-bucket", cache=cache(tmp_path), options=options(s3))
    with pytest.raises((NotFound, NotAllowed, Unreachable)):
        store.put_bytes("a", b"x")


def test_a_bucket_is_opened_by_its_url_and_the_environment(s3, tmp_path, monkeypatch):
    bucket = make_bucket(s3)
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    blobs = open_blobs(f"s3://{bucket}/p", cache=tmp_path / "cache")
    blobs.put_bytes("a/b", b"x")
    assert open_blobs(f"s3://{bucket}", cache=tmp_path / "cache").get_bytes("p/a/b") == b"x"


def test_a_folder_is_opened_by_its_path_and_anything_else_is_refused(tmp_path):
    open_blobs(str(tmp_path / "blobs"), cache=tmp_path).put_bytes("a", b"x")
    assert (tmp_path / "blobs" / "a").read_bytes() == b"x"
    for where in ("ftp://host/x", "file:///etc", "http://host"):
        with pytest.raises(InvalidInput, match="not a place"):
            open_blobs(where, cache=tmp_path)
