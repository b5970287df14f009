"""Filters and orders of traces: text to checked conditions. Pure, but for `page_of`.

trace.status = 'OK' AND tags.team LIKE 'a%' AND metadata.`mlflow.modelId` = 'm' AND span.type = 'LLM'
AND span.attributes.model ILIKE '%gpt%' AND feedback.correctness = 'true' AND timestamp_ms > 1700000000000
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NoReturn, cast

from homeostat.core.errors import InvalidInput
from homeostat.core.ports.store import Transaction
from homeostat.core.traces import NAME_TAG, RUN_KEY, Trace, TraceCondition, TraceOrder, TraceQuery
from homeostat.track.search.pages import next_token, offset_of
from homeostat.track.search.tokens import Token, tokens, unquoted

MOST_RESULTS = 500
_MOST_CONDITIONS = 200
_MOST_LISTED = 1000
Entity = Literal[
    "attribute", "tag", "metadata", "span", "span_attribute", "feedback", "expectation", "issue", "run", "prompt"
]

_ENTITIES: dict[str, str] = {
    **dict.fromkeys(("attribute", "attributes", "trace"), "attribute"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("metadata", "request_metadata"), "metadata"),
    **{name: name for name in ("span", "feedback", "expectation", "issue")},
}
_TIMES = {
    **dict.fromkeys(("timestamp", "timestamp_ms"), "started"),
    **dict.fromkeys(("end_time", "end_time_ms"), "ended"),
}
_DURATIONS = dict.fromkeys(("execution_time", "execution_time_ms"), "duration_ms")
_TEXTS = {"request_id": "trace_id", "trace_id": "trace_id", "status": "state", "client_request_id": "client_request_id"}
_VALID = sorted({*_TIMES, *_DURATIONS, *_TEXTS, "name", "run_id", "prompt", "text"})
_SPAN = {"name": "name", "type": "kind", "status": "status"}
_LIKE = {"LIKE", "ILIKE"}
_TEXTUAL = {"=", "!=", "IN", "NOT IN", "RLIKE", *_LIKE}
_NUMERIC = {"=", "!=", "<", "<=", ">", ">="}
_PRESENCE = {"IS NULL", "IS NOT NULL"}
_KEYED = {"=", "!=", "RLIKE", *_LIKE, *_PRESENCE}
_ALLOWED: dict[str, set[str]] = {
    "tag": _KEYED,
    "metadata": _KEYED,
    "span": _TEXTUAL,
    "span_attribute": _TEXTUAL,
    "feedback": {*_NUMERIC, *_LIKE, *_PRESENCE},
    "expectation": {*_NUMERIC, *_LIKE, *_PRESENCE},
    "issue": {"="},
    "run": {"="},
    "prompt": {"="},
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def query_of(
    *,
    experiment_ids: Sequence[str],
    filter_text: str,
    order_by: Sequence[str],
    max_results: int | None,
    page_token: str,
) -> TraceQuery:
    """Return what is to be looked for; raise InvalidInput naming what is wrong."""
    limit = 100 if max_results is None else max_results
    if not 1 <= limit <= MOST_RESULTS:
        raise InvalidInput(
            f"Invalid value {limit} for parameter 'max_results' supplied. It must be 1 to {MOST_RESULTS}"
        )
    if not experiment_ids:
        raise InvalidInput("At least one trace location, an experiment, must be named.")
    whole = [each for each in experiment_ids if each.isascii() and each.isdecimal() and len(each) <= 18]
    return TraceQuery(
        experiment_ids=tuple(whole),
        conditions=conditions_of(filter_text),
        order=tuple(_order(each) for each in order_by),
        limit=limit,
        offset=offset_of(page_token),
    )


def page_of(tx: Transaction, query: TraceQuery) -> tuple[list[Trace], str]:
    """Return a page of traces and the token of the next one, empty at the end."""
    found = tx.traces.search(replace(query, limit=query.limit + 1))
    token = next_token(query.offset + query.limit) if len(found) > query.limit else ""
    return found[: query.limit], token


def conditions_of(text: str) -> tuple[TraceCondition, ...]:
    """Return the conditions that all must hold.

    >>> conditions_of("trace.status = 'OK' AND span.type != 'LLM'")[1].entity
    'span'
    """
    found, at = list(tokens(text)), 0
    out: list[TraceCondition] = []
    while at < len(found):
        if out:
            if found[at].upper != "AND":
                _refuse(found, at)
            at += 1
        condition, at = _condition(found, at)
        out.append(condition)
        if len(out) > _MOST_CONDITIONS:
            raise InvalidInput(f"Invalid filter: at most {_MOST_CONDITIONS} conditions are taken")
    return tuple(out)


def _condition(found: list[Token], at: int) -> tuple[TraceCondition, int]:
    if at >= len(found) or found[at].kind not in {"name", "word"} or found[at].upper in {"AND", "OR", "NOT"}:
        _refuse(found, at)
    start = at
    entity, key = _meaning(found[at].text)
    operator, at = _operator(found, at + 1, start)
    allowed = _comparisons(entity, key)
    if operator not in allowed:
        raise InvalidInput(f"Invalid comparator '{operator}' not one of '{sorted(allowed)}'")
    if operator in _PRESENCE:
        return TraceCondition(entity=entity, key=key, operator=operator), at
    if operator in {"IN", "NOT IN"}:
        values, at = _list(found, at, start)
        return TraceCondition(entity=entity, key=key, operator=operator, value=values), at
    if at >= len(found):
        _refuse(found, start)
    value = _value(entity, key, operator, found[at])
    if entity == "prompt" and value.count("/") != 1:
        raise InvalidInput(f"Invalid prompts filter value '{value[:200]}'. Expected format: prompt = \"name/version\"")
    return TraceCondition(entity=entity, key=key, operator=operator, value=value), at + 1


def _meaning(text: str) -> tuple[Entity, str]:
    """What a name such as `trace.status`, tags.`a b` or `span.attributes.model` means."""
    first, dot, rest = text.partition(".")
    if text[0] in '`"' or not dot:
        first, rest = "attribute", text
    entity = _ENTITIES.get(first)
    if entity is None:
        raise InvalidInput(f"Invalid entity type '{first[:200]}'. Valid values are {sorted(_ENTITIES)}")
    key = unquoted(rest)
    if entity == "attribute":
        return _attribute(key)
    if entity == "span":
        if key.startswith("attributes.") and key != "attributes.":
            return "span_attribute", unquoted(key.removeprefix("attributes."))
        if key not in _SPAN:
            raise InvalidInput(
                f"Invalid span attribute '{key[:200]}'. Supported attributes: name, status, type, attributes.<attribute_name>."
            )
        return "span", _SPAN[key]
    if entity == "issue" and key != "id":
        raise InvalidInput(f"Invalid issue attribute '{key[:200]}'. Supported attributes: id")
    if entity == "metadata" and key == RUN_KEY:
        return "run", ""
    return cast("Entity", entity), key


def _attribute(key: str) -> tuple[Entity, str]:
    match key.lower():
        case "name":
            return "tag", NAME_TAG
        case "run_id":
            return "run", ""
        case "prompt":
            return "prompt", ""
        case "text":
            return "span", "content"
    inner = _TIMES.get(key) or _DURATIONS.get(key) or _TEXTS.get(key)
    if inner is None:
        raise InvalidInput(f"Invalid attribute key '{key[:200]}' specified. Valid keys are '{_VALID}'")
    return "attribute", inner


def _comparisons(entity: str, key: str) -> set[str]:
    if entity == "attribute":
        return _NUMERIC if key in {"started", "ended", "duration_ms"} else _TEXTUAL
    if entity == "tag" and key == NAME_TAG:
        return {*_KEYED, *_TEXTUAL}
    if key == "content" and entity == "span":
        return _LIKE
    return _ALLOWED[entity]


def _operator(found: list[Token], at: int, start: int) -> tuple[str, int]:
    words = [token.upper for token in found[at : at + 3]]
    match words:
        case ["NOT", "IN", *_]:
            return "NOT IN", at + 2
        case ["IS", "NOT", "NULL"]:
            return "IS NOT NULL", at + 3
        case ["IS", "NULL", *_]:
            return "IS NULL", at + 2
        case ["LIKE" | "ILIKE" | "RLIKE" | "IN" as word, *_]:
            return word, at + 1
    if at >= len(found) or found[at].kind != "operator":
        _refuse(found, start)
    return {"==": "=", "<>": "!="}.get(found[at].text, found[at].text), at + 1


def _value(entity: str, key: str, operator: str, token: Token) -> Any:
    is_time = entity == "attribute" and key in {"started", "ended"}
    if is_time or (entity == "attribute" and key == "duration_ms"):
        if token.kind != "number":
            raise InvalidInput(f"Expected numeric value type for numeric attribute: {key}. Found {token.text[:200]}")
        number = _number(token.text)
        return _time(number) if is_time else number
    is_said = entity in {"feedback", "expectation"}
    if is_said and operator in {"<", "<=", ">", ">="}:
        try:
            return float(unquoted(token.text))
        except ValueError as error:
            raise InvalidInput(f"Expected a number to compare an assessment with. Found {token.text[:200]}") from error
    if is_said and (token.kind == "number" or token.upper in {"TRUE", "FALSE"}):
        return token.text.lower()
    if token.kind != "text":
        raise InvalidInput(
            f"Expected a quoted string value for {entity} (e.g. 'my-value'). Got value {token.text[:200]}"
        )
    return unquoted(token.text)


def _list(found: list[Token], at: int, start: int) -> tuple[tuple[str, ...], int]:
    if at >= len(found) or found[at].kind != "open":
        _refuse(found, start)
    at += 1
    out: list[str] = []
    while at < len(found) and found[at].kind == "text":
        out.append(unquoted(found[at].text))
        at += 1
        if at < len(found) and found[at].kind == "comma":
            at += 1
    if at >= len(found) or found[at].kind != "close" or not 1 <= len(out) <= _MOST_LISTED:
        raise InvalidInput(f"Expected a list of 1 to {_MOST_LISTED} quoted string values, as ('a', 'b')")
    return tuple(out), at + 1


def _order(text: str) -> TraceOrder:
    words = list(tokens(text[:1000]))
    if not 1 <= len(words) <= 2 or words[0].kind not in {"name", "word"}:
        raise InvalidInput(f"Invalid order_by clause '{text[:200]}'. Could not be parsed.")
    if len(words) == 2 and words[1].upper not in {"ASC", "DESC"}:
        raise InvalidInput(f"Invalid ordering key in order_by clause '{text[:200]}'.")
    is_ascending = len(words) == 1 or words[1].upper == "ASC"
    if unquoted(words[0].text.removeprefix("attributes.").removeprefix("trace.")) == "experiment_id":
        return TraceOrder(entity="attribute", key="experiment_id", is_ascending=is_ascending)
    entity, key = _meaning(words[0].text)
    if entity == "run":
        entity, key = "metadata", RUN_KEY
    if entity not in ("attribute", "tag", "metadata"):
        raise InvalidInput(f"Invalid order_by entity: {entity}")
    return TraceOrder(entity=entity, key=key, is_ascending=is_ascending)


def _number(text: str) -> int:
    try:
        number = int(float(text)) if not text.lstrip("+-").isdigit() else int(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"'{text[:50]}' is not a number that times are compared with") from error
    if not -(2**63) <= number < 2**63:
        raise InvalidInput(f"'{text[:50]}' does not fit 64 bits")
    return number


def _time(milliseconds: int) -> datetime:
    """The time; one beyond what a calendar holds becomes the last or first that it does."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if milliseconds > 0 else datetime.min.replace(tzinfo=UTC)


def _refuse(found: list[Token], at: int) -> NoReturn:
    clause = " ".join(token.text for token in found[at : at + 4])
    raise InvalidInput(f"Invalid clause(s) in filter string: '{clause[:200]}'")
