"""How much may be logged, and under which names. The messages are those that clients of MLflow know. Pure."""

import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

from homeostat.core.errors import InvalidInput
from homeostat.core.records.tracking import InputDataset, Point

MOST_METRICS, MOST_PARAMS, MOST_TAGS, MOST_TOGETHER = 1000, 100, 100, 1000
MOST_KEY, MOST_PARAM, MOST_TAG = 250, 6000, 8000
MOST_EXPERIMENT_NAME, MOST_EXPERIMENT_TAG = 500, 20_000
MOST_RUN_NAME = 8000
MOST_DATASETS, MOST_MODELS = 1000, 1000
_DATASET_LIMITS = {
    "name": 500,
    "digest": 36,
    "source_type": 36,
    "source": 65_535,
    "schema": 1_048_575,
    "profile": 16_777_215,
}
MOST_INPUT_TAG_KEY, MOST_INPUT_TAG = 255, 500

_NAME = re.compile(r"[/\w.\- :]*")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_CHARACTERS = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."


def check_name(name: str, path: str) -> None:
    """Refuse what cannot name a metric, param or tag: names may become paths."""
    if _NAME.fullmatch(name) is None:
        raise _wrong(path, name, _CHARACTERS)
    if "/" not in name and name not in {".", ".."} and name:
        return
    plain = posixpath.normpath(name)
    if plain != name or plain == "." or plain.startswith(("..", "/")):
        raise _wrong(
            path,
            name,
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. "
            f"This name would resolve to {plain!r}",
        )


def check_points(points: Sequence[Point], *, one: bool = False) -> None:
    """Refuse metrics whose names or times cannot be kept. A batch names few keys many times: each is looked at once."""
    seen: set[str] = set()
    for index, point in enumerate(points):
        if point.key not in seen:
            check_name(point.key, "name" if one else f"metrics[{index}].name")
            check_length("Metric name", point.key, MOST_KEY)
            seen.add(point.key)
        if point.time_ms < 0:
            path = "timestamp" if one else f"metrics[{index}].timestamp"
            why = f"metric '{point.key}' (value={point.value}). Timestamp must be a nonnegative long (64-bit integer) "
            raise _wrong(path, point.time_ms, why)


def check_params(params: Iterable[tuple[str, str]], *, one: bool = False) -> dict[str, str]:
    """Return the params by key; refuse those that are too long or come twice."""
    out: dict[str, str] = {}
    twice = []
    for index, (key, value) in enumerate(params):
        check_name(key, "key" if one else f"params[{index}].key")
        check_length("Param key", key, MOST_KEY)
        check_length("Param value", value, MOST_PARAM)
        if key in out:
            twice.append(key)
        out[key] = value
    if twice:
        raise InvalidInput(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only one param value per "
            "param key."
        )
    return out


def check_tags(tags: Iterable[tuple[str, str]], *, one: bool = False) -> dict[str, str]:
    """Return the tags by key, the last value of each; refuse those that are too long."""
    out: dict[str, str] = {}
    for index, (key, value) in enumerate(tags):
        prefix = "" if one else f"tags[{index}]."
        check_name(key, f"{prefix}key")
        check_length(f"{prefix}key", key, MOST_KEY)
        check_length(f"{prefix}value", value, MOST_TAG)
        out[key] = value
    return out


def check_batch(*, metrics: int, params: int, tags: int) -> None:
    """Refuse a batch with too much in it."""
    counts = (("metrics", metrics, MOST_METRICS), ("params", params, MOST_PARAMS), ("tags", tags, MOST_TAGS))
    for what, count, most in (*counts, ("metrics, params, and tags", metrics + params + tags, MOST_TOGETHER)):
        if count > most:
            raise InvalidInput(
                f"A batch logging request can contain at most {most} {what}. Got {count} {what}. Please split up {what} across "
                "multiple requests and try again."
            )


def check_experiment_name(name: str) -> None:
    if not name:
        raise InvalidInput(f"Invalid experiment name: '{name}'")
    check_length("name", name, MOST_EXPERIMENT_NAME)


def check_experiment_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        check_name(key, "key")
        check_length("key", key, MOST_KEY)
        check_length("value", value, MOST_EXPERIMENT_TAG)


def check_run_id(run_id: str) -> None:
    if _RUN_ID.fullmatch(run_id) is None:
        raise InvalidInput(f"Invalid value {json.dumps(run_id[:300])} for parameter 'run_id' supplied.")


def check_datasets(datasets: Sequence[InputDataset]) -> None:
    """Refuse data sets that are too many, or said too long."""
    if len(datasets) > MOST_DATASETS:
        raise InvalidInput(f"At most {MOST_DATASETS} datasets can be logged at once. Got {len(datasets)} datasets.")
    for one in datasets:
        for name, most in _DATASET_LIMITS.items():
            check_length(name, getattr(one, name) or "", most)
        for key, value in one.tags.items():
            check_length("key", key, MOST_INPUT_TAG_KEY)
            check_length("value", value, MOST_INPUT_TAG)


def check_length(what: str, value: str, most: int) -> None:
    if len(value) > most:
        raise InvalidInput(f"'{what}' exceeds the maximum length of {most} characters")


def _wrong(path: str, value: object, why: str) -> InvalidInput:
    return InvalidInput(f"Invalid value {json.dumps(value)} for parameter '{path}' supplied: {why}")
