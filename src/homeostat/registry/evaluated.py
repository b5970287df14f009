"""How a version is evaluated: compiled or as the original, and why, as the report in its package says."""

import json

from homeostat.core.ports import BlobStore
from homeostat.core.records import Json, ModelVersion

_REPORT = "compiled/report.json"


def compiled_report(version: ModelVersion, *, blobs: BlobStore) -> Json | None:
    """Return the report of the compiling; None where the version was never compiled, or its files are gone."""
    place = f"{version.location}/{_REPORT}"
    if _REPORT not in version.digests or not blobs.exists(place):
        return None
    found: Json = json.loads(blobs.get_bytes(place))
    return found


def told(report: Json) -> str:
    """Return it in one sentence, with the worst row where the compiled form was refused for one."""
    by = f" by {report['converter']}" if report.get("converter") else ""
    if report["is_used"]:
        return f"compiled{by}: {report['because']}"
    worst = f"; worst row {json.dumps(report['worst_row'])}" if report.get("worst_row") else ""
    return f"the original, not compiled{by}: {report['because']}{worst}"
