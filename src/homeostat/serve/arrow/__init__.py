"""Rows and answers as Arrow IPC streams, for bulk. pyarrow is imported by the first request that speaks Arrow, never before."""

from collections.abc import Mapping

STREAM = "application/vnd.apache.arrow.stream"


def speaks_arrow(headers: Mapping[str, str]) -> bool:
    """Return whether a request sends or wants Arrow."""
    return ".apache.arrow." in (headers.get("content-type", "") + headers.get("accept", "")).lower()
