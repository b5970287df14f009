"""What is in a folder of blobs."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """An entry of a folder of blobs; `size_bytes` and `changed`, when it was written, are None for a folder."""

    name: str
    is_folder: bool
    size_bytes: int | None = None
    changed: datetime | None = None
