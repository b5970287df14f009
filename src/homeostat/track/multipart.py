"""Uploading a large file in parts, several at a time: the parts are blobs of their own until the whole is put together."""

import json
from dataclasses import dataclass
from pathlib import PurePath
from uuid import uuid4

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.ports.blobs import BlobStore
from homeostat.track.artifacts import writable_blob_of

MOST_PARTS = 10_000
_PLACE = "uploads"
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload under way: where the whole will be, and in how many parts it comes."""

    upload_id: str
    target: str
    parts: int


def begin(blobs: BlobStore, *, folder: str, file: str, parts: int) -> Upload:
    """Return a new upload of a file into a folder of artifacts. Nothing is visible before `complete`."""
    if not 1 <= parts <= MOST_PARTS:
        raise InvalidInput(f"Invalid value {parts} for parameter 'num_parts': it must be 1 to {MOST_PARTS}")
    target = target_of(folder, file)
    writable_blob_of(target)
    upload = Upload(upload_id=uuid4().hex, target=target, parts=parts)
    blobs.put_bytes(_about(upload.upload_id), json.dumps({"target": target, "parts": parts}).encode())
    return upload


def target_of(folder: str, file: str) -> str:
    """Return the path of the whole; clients name the file by its path on their own machine.

    >>> target_of("1/r/artifacts", "/home/ann/model.bin")
    '1/r/artifacts/model.bin'
    """
    name = PurePath(file).name
    return f"{folder.rstrip('/')}/{name}" if folder else name


def find(blobs: BlobStore, upload_id: str) -> Upload:
    """Return an upload under way; raise NotFound."""
    if len(upload_id) != 32 or not set(upload_id) <= _HEX or not blobs.exists(_about(upload_id)):
        raise NotFound(f"no upload '{upload_id[:64]}' is under way", hint="begin another with mpu/create")
    told = json.loads(blobs.get_bytes(_about(upload_id)))
    return Upload(upload_id=upload_id, target=told["target"], parts=told["parts"])


def part_blob(upload: Upload, number: int) -> str:
    """Return the blob that a part (counted from 1) is written to."""
    if not 1 <= number <= upload.parts:
        raise InvalidInput(f"part {number} is not one of the {upload.parts} parts of this upload")
    return f"{_PLACE}/{upload.upload_id}/{number}"


def tag_of(blobs: BlobStore, upload: Upload, number: int) -> str:
    """Return what the client must show of a part when it completes the upload."""
    return f'"{upload.upload_id[:8]}-{number}-{blobs.size(part_blob(upload, number))}"'


def complete(blobs: BlobStore, upload: Upload, *, target: str, tags: dict[int, str]) -> None:
    """Put the parts together, and make the whole visible; raise InvalidInput where one is missing or not the one that was uploaded."""
    _refuse_other_target(upload, target)
    if sorted(tags) != list(range(1, upload.parts + 1)):
        raise InvalidInput(f"the upload has parts 1 to {upload.parts}, the request names {sorted(tags)[:20]}")
    for number, tag in tags.items():
        if not blobs.exists(part_blob(upload, number)) or tag_of(blobs, upload, number) != tag:
            raise InvalidInput(f"part {number} was not uploaded whole", hint="upload it again")
    with blobs.upload(writable_blob_of(upload.target)) as whole:
        for number in range(1, upload.parts + 1):
            for piece in blobs.chunks(part_blob(upload, number)):
                whole.write(piece)
    abort(blobs, upload, target=target)


def abort(blobs: BlobStore, upload: Upload, *, target: str) -> None:
    """Forget an upload and its parts."""
    _refuse_other_target(upload, target)
    blobs.delete(f"{_PLACE}/{upload.upload_id}")


def _refuse_other_target(upload: Upload, target: str) -> None:
    if target != upload.target:
        raise InvalidInput(f"upload {upload.upload_id} is of another file than '{target[:200]}'")


def _about(upload_id: str) -> str:
    return f"{_PLACE}/{upload_id}/upload.json"
