"""Artifacts: listed, sent, received and deleted; large ones also in parts."""

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from starlette.responses import Response

from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.store import Transaction
from homeostat.track import multipart
from homeostat.track.artifacts import blob_at, blob_of, uri_of, writable_blob_of
from homeostat.web.mlflow_api.call import Call, as_integer
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Reply, Work
from homeostat.web.mlflow_api.errors import does_not_exist, invalid
from homeostat.web.mlflow_api.streams import give_out, take_in

Json = dict[str, Any]
_FILE = "*/*"
_PART = {"part_number": 1, "etag": '"01234567-1-8"'}
_EMPTY = Reply(b"", headers=((b"content-type", b"application/json"),))


async def put(call: Call, desk: Desk) -> Reply:
    await take_in(call, desk.blobs, writable_blob_of(call.params["path"]))
    return _EMPTY


def get(call: Call, desk: Desk) -> Work:
    return _sent(desk.blobs, blob_of(call.params["path"]), call.params["path"])


def delete(call: Call, desk: Desk) -> Work:
    blob = writable_blob_of(call.params["path"].rstrip("/"))

    def work() -> Json:
        desk.blobs.delete(blob)
        return {}

    return Work(work)


def list_(call: Call, desk: Desk) -> Work:
    """Names are relative to the folder that is listed."""
    blob = blob_of((call.text_or_none("path") or "").rstrip("/"))
    return Work(lambda: _listing(desk.blobs, blob, below=""))


def list_of_run(call: Call, desk: Desk) -> Work:
    run_id, path = call.text("run_id", "run_uuid"), (call.text_or_none("path") or "").rstrip("/")
    return Work(lambda: _below(desk, _of_run(run_id), path))


def list_of_logged_model(call: Call, desk: Desk) -> Work:
    path = (call.text_or_none("artifact_directory_path") or "").rstrip("/")
    return Work(lambda: _below(desk, _of_logged_model(call.params["model_id"]), path))


def get_of_run(call: Call, desk: Desk) -> Work:
    run_id, path = call.text("run_id", "run_uuid"), call.text("path")
    return Work(lambda: _given(desk, _of_run(run_id), path))


def get_of_logged_model(call: Call, desk: Desk) -> Work:
    path = call.text("artifact_file_path")
    return Work(lambda: _given(desk, _of_logged_model(call.params["model_id"]), path))


def get_of_version(call: Call, desk: Desk) -> Work:
    name, version, path = call.text("name"), as_integer(call.text("version"), "version"), call.text("path")

    def root(tx: Transaction) -> str:
        location = tx.models.get(name, version).location
        if not location:
            raise does_not_exist(f"Model Version (name={name}, version={version}) has no files here")
        return location

    return Work(lambda: _given(desk, root, path))


# -- in parts


def create_multipart(call: Call, desk: Desk) -> Work:
    file, parts, folder = call.text("path"), call.integer_or_none("num_parts") or 1, call.params["path"]
    scheme = call.headers.get("x-forwarded-proto", call.scope.get("scheme", "http"))
    door = f"{'https' if scheme == 'https' else 'http'}://{call.headers.get('host', 'localhost')}"

    def work() -> Json:
        upload = multipart.begin(desk.blobs, folder=folder, file=file, parts=parts)
        url = f"{door}/api/2.0/mlflow-artifacts/mpu/part/{upload.upload_id}"
        credentials = [{"url": f"{url}/{n}", "part_number": n, "headers": {}} for n in range(1, parts + 1)]
        return {"upload_id": upload.upload_id, "credentials": credentials}

    return Work(work)


async def put_part(call: Call, desk: Desk) -> Reply:
    import asyncio

    number = as_integer(call.params["number"], "number")
    upload = await asyncio.to_thread(multipart.find, desk.blobs, call.params["upload_id"])
    await take_in(call, desk.blobs, multipart.part_blob(upload, number))
    tag = await asyncio.to_thread(multipart.tag_of, desk.blobs, upload, number)
    return Reply(b"", headers=((b"etag", tag.encode()),))


def complete_multipart(call: Call, desk: Desk) -> Work:
    upload_id, target = call.text("upload_id"), multipart.target_of(call.params["path"], call.text("path"))
    tags = {as_integer(part.get("part_number"), "part_number"): str(part.get("etag")) for part in call.items("parts")}

    def work() -> Json:
        multipart.complete(desk.blobs, multipart.find(desk.blobs, upload_id), target=target, tags=tags)
        return {}

    return Work(work)


def abort_multipart(call: Call, desk: Desk) -> Work:
    upload_id, target = call.text("upload_id"), multipart.target_of(call.params["path"], call.text("path"))

    def work() -> Json:
        multipart.abort(desk.blobs, multipart.find(desk.blobs, upload_id), target=target)
        return {}

    return Work(work)


# -- small print


def _of_run(run_id: str) -> Callable[[Transaction], str]:
    return lambda tx: tx.runs.head(run_id).artifacts


def _of_logged_model(model_id: str) -> Callable[[Transaction], str]:
    return lambda tx: tx.logged_models.get(model_id).artifacts


def _below(desk: Desk, root: Callable[[Transaction], str], path: str) -> Json:
    with desk.store.read() as tx:
        address = root(tx)
    return {"root_uri": uri_of(address), **_listing(desk.blobs, blob_at(address, path), below=path)}


def _given(desk: Desk, root: Callable[[Transaction], str], path: str) -> Response:
    with desk.store.read() as tx:
        address = root(tx)
    return _file(desk.blobs, blob_at(address, path), path)


def _sent(blobs: BlobStore, blob: str, path: str) -> Work:
    return Work(partial(_file, blobs, blob, path))


def _file(blobs: BlobStore, blob: str, path: str) -> Response:
    if blobs.entries(blob):
        raise invalid(f"Artifact path refers to a directory, not a file: '{path}'")
    return give_out(blobs, blob, name=PurePosixPath(path).name)


def _listing(blobs: BlobStore, blob: str, *, below: str) -> Json:
    prefix = f"{below}/" if below else ""
    return {
        "files": [
            {"path": prefix + entry.name, "is_dir": True}
            if entry.is_folder
            else {"path": prefix + entry.name, "is_dir": False, "file_size": entry.size_bytes}
            for entry in blobs.entries(blob)
        ]
    }


ENDPOINTS = (
    Endpoint("GET", "mlflow-artifacts/artifacts", list_),
    Endpoint("GET", "mlflow-artifacts/artifacts/{path:path}", get, answers=_FILE),
    Endpoint("PUT", "mlflow-artifacts/artifacts/{path:path}", put, streams=True),
    Endpoint("DELETE", "mlflow-artifacts/artifacts/{path:path}", delete),
    Endpoint("POST", "mlflow-artifacts/mpu/create/{path:path}", create_multipart),
    Endpoint("PUT", "mlflow-artifacts/mpu/part/{upload_id}/{number}", put_part, streams=True),
    Endpoint("POST", "mlflow-artifacts/mpu/complete/{path:path}", complete_multipart, examples={"parts": [_PART]}),
    Endpoint("POST", "mlflow-artifacts/mpu/abort/{path:path}", abort_multipart),
    Endpoint("GET", "artifacts/list", list_of_run),
    Endpoint("GET", "logged-models/{model_id}/artifacts/directories", list_of_logged_model),
    Endpoint("GET", "logged-models/{model_id}/artifacts/files", get_of_logged_model, answers=_FILE),
    Endpoint("GET", "/get-artifact", get_of_run, answers=_FILE),
    Endpoint("GET", "/model-versions/get-artifact", get_of_version, answers=_FILE),
)
