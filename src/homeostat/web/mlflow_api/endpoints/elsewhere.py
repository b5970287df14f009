"""What the client world has and this server has not: said plainly, so that nobody looks for a mistake of their own."""

from typing import Any

from homeostat.web.mlflow_api.call import Call
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint
from homeostat.web.mlflow_api.errors import WireError

_PARTS = {
    "gateway": "The AI gateway",
    "scorers": "Registered scorers",
    "review-queues": "Review queues",
    "label-schemas": "Label schemas",
    "prompt-optimization": "Prompt optimisation",
    "workspaces": "Workspaces",
    "datasets": "Evaluation datasets",
    "issues": "Issues",
    "unified-traces": "Unified traces",
    "get-online-trace-details": "Inference tables",
}


def refuse(call: Call, _desk: Desk) -> Any:
    part = call.path.partition("/mlflow/")[2].partition("/")[0]
    raise WireError(
        "ENDPOINT_NOT_FOUND",
        f"{_PARTS[part]} ({call.method} {call.path[:300]}) is not offered by this server. Experiments, runs, models, prompts, artifacts, "
        "traces, assessments and webhooks are.",
    )


ENDPOINTS = tuple(Endpoint("*", path, refuse) for part in _PARTS for path in (part, f"{part}/{{rest:path}}"))
