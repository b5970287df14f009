"""How a version is evaluated: compiled or as the original, and why, as the report in its package says."""

import json

from homeostat.core.ports.blobs import BlobStore
from homeostat.core.records.registry import ModelVersion
from homeostat.core.values import Json
from homeostat.train.requirements import recorded, unmet

_REPORT = "compiled/report.json"
_MOST_REASONS = 3


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


def environment_told(version: ModelVersion, *, blobs: BlobStore, environments: str) -> str | None:
    """Return in one sentence by which environment the original is served, and why; None where its files are gone or not here."""

    def read(name: str) -> str | None:
        place = f"{version.location}/{name}"
        is_there = name in version.digests and blobs.exists(place)
        return blobs.get_bytes(place).decode(errors="replace") if is_there else None

    if not version.digests or not blobs.exists(version.location):
        return None
    reasons = unmet(recorded(read))
    if not reasons:
        return "the server's, which has what was recorded"
    more = f" and {len(reasons) - _MOST_REASONS} more" if len(reasons) > _MOST_REASONS else ""
    because = "; ".join(reasons[:_MOST_REASONS]) + more
    if environments == "own":
        return f"its own: {because}"
    return f"the server's, though {because} (`serve: {{environments: own}}` gives it one of its own)"
