"""Requests that schemathesis makes of an OpenAPI document: what fits it, and what does not."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable

Check = Callable[[str, str, dict[str, str], bytes], None]


def explore(document: Any, check: Check, *, seed: int, examples: int, most: int | None = None) -> int:
    """Call `check(method, url, headers, body)` for so many requests of either sort to `most` operations (None: all); return how many operations that were."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    operations = [each.ok() for each in schemathesis.openapi.from_dict(document).get_all_operations()]
    operations = operations if most is None else random.Random(seed).sample(operations, most)
    run = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            requests = operation.as_strategy(generation_mode=mode)
            try:
                seeded(seed)(run(given(requests)(lambda case: check(*_prepared(case)))))()
            except Unsatisfiable:  # nothing that it takes could be wrong
                assert mode is schemathesis.GenerationMode.NEGATIVE
    return len(operations)


def _prepared(case: Any) -> tuple[str, str, dict[str, str], bytes]:
    """Return the method, the URL, the headers that matter and the body of a request."""
    import requests

    options = case.as_transport_kwargs(base_url="http://127.0.0.1")
    options.pop("cookies", None)
    request = requests.Request(**options).prepare()
    body = request.body or b""
    kind = request.headers.get("content-type")
    return (
        request.method,
        request.path_url,
        {"content-type": kind} if kind else {},
        body.encode() if isinstance(body, str) else body,
    )
