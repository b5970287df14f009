"""What clients ask before they begin: is it up, which version does it speak, what can it do."""

from typing import Any

from homeostat.web.mlflow_api.call import Call
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Reply

SPEAKS = "3.17.2"  # the version of the client whose wire format this is; clients choose their routes by it
_PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)


def health(_call: Call, _desk: Desk) -> Reply:
    return Reply(b"OK", headers=_PLAIN)


def version(_call: Call, _desk: Desk) -> Reply:
    return Reply(SPEAKS.encode(), headers=_PLAIN)


def server_info(_call: Call, _desk: Desk) -> dict[str, Any]:
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": False,
        "trace_archival_enabled": False,
        "multipart_uploads_enabled": False,
        "multipart_downloads_enabled": False,
        "presigned_upload_run_id_supported": False,
        "presigned_upload_model_id_supported": False,
        "features_enabled": {"gateway": False},
    }


ENDPOINTS = (
    Endpoint("GET", "/health", health, answers="text/plain"),
    Endpoint("GET", "/version", version, answers="text/plain"),
    Endpoint("GET", "server-info", server_info),
)
