import http.server
import threading
import urllib.parse

import pytest

from homeostat.core.errors import InvalidInput
from homeostat.data.source import Ask
from homeostat.data.sources import read, sources
from homeostat.testing.contracts.sources import FRAME


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("a.csv", "csv"),
        ("a/b.TSV.gz", "csv"),
        ("s3://bucket/a.csv.zst", "csv"),
        ("a.parquet", "parquet"),
        ("s3://bucket/a.pq", "parquet"),
        ("a/*.csv", "glob"),
        ("s3://bucket/a/*.parquet", "glob"),
        ("s3://bucket/table/", "delta"),
        ("table", "delta"),
        ("postgresql+psycopg://u@h/db", "sql"),
        ("sqlite:///a.db", "sql"),
        ("a.xlsx", None),
        ("http://host/a.csv", None),
    ],
)
def test_one_source_at_most_claims_an_address(tmp_path, uri, name):
    claiming = [source.name for source in sources().values() if source.claims(Ask(uri=uri, root=tmp_path))]
    assert claiming == ([] if name is None else [name])


@pytest.mark.parametrize("uri", ["a.xlsx", "http://host/a.csv", ""])
def test_an_address_that_no_source_claims_is_refused_with_what_is_accepted(tmp_path, uri):
    with pytest.raises(InvalidInput) as caught:
        read(uri, root=tmp_path)
    assert "CSV" in caught.value.hint


def test_a_query_on_a_file_is_refused(tmp_path):
    FRAME.write_csv(tmp_path / "a.csv")
    with pytest.raises(InvalidInput, match="not a database"):
        read("a.csv", query="select 1", root=tmp_path)


@pytest.fixture
def bucket(monkeypatch):
    """A server that answers the two S3 requests that reading needs, with a dict of contents."""
    contents: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, *, body: bool):
            url = urllib.parse.urlsplit(self.path)
            asked = urllib.parse.parse_qs(url.query)
            raw = contents.get(url.path)
            status = 200
            if "list-type" in asked:
                prefix = f"/bucket/{asked['prefix'][0]}"
                keys = "".join(
                    f"<Contents><Key>{name.removeprefix('/bucket/')}</Key><Size>{len(data)}</Size>"
                    "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
                    for name, data in sorted(contents.items())
                    if name.startswith(prefix)
                )
                raw = f"<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>".encode()
            elif raw is None:
                status, raw = 404, b"<Error><Code>NoSuchKey</Code></Error>"
            elif wanted := self.headers.get("Range"):
                first, last = wanted.removeprefix("bytes=").split("-")
                status, raw = 206, raw[int(first) : int(last) + 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            if body:
                self.wfile.write(raw)

        def do_GET(self):
            self.answer(body=True)

        def do_HEAD(self):
            self.answer(body=False)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield contents
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_in_s3_are_read_with_the_environments_settings(tmp_path, bucket):
    bucket["/bucket/in/a.csv"] = FRAME.write_csv().encode()
    assert read("s3://bucket/in/a.csv", root=tmp_path).equals(FRAME)
    with pytest.raises(InvalidInput, match=r"absent\.csv' cannot be read") as caught:
        read("s3://bucket/in/absent.csv", root=tmp_path)
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_a_glob_in_s3_is_read_in_the_order_of_names(tmp_path, bucket):
    bucket["/bucket/in/a.csv"] = b"n\n1\n"
    bucket["/bucket/in/b.csv"] = b"n\n2\n"
    bucket["/bucket/in/deep/c.csv"] = b"n\n3\n"
    assert read("s3://bucket/in/*.csv", root=tmp_path)["n"].to_list() == [1, 2]
