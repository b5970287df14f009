"""What registered models and versions can be asked. Prompts are models with a reserved tag: they are found only where they are asked for."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from homeostat.core.queries import Condition, Entity, ModelQuery, Order
from homeostat.registry.names import IS_PROMPT
from homeostat.track.search import parse_filter, parse_order
from homeostat.track.search.language import LISTED, TEXTUAL, Language

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENTITIES: dict[str, Entity] = {"attribute": "attribute", "attributes": "attribute", "tag": "tag", "tags": "tag"}
_TIMES = {"creation_timestamp": "created", "last_updated_timestamp": "updated"}
_MOST_MILLIS = 253_402_300_799_999  # the end of the year 9999

MODELS = Language(
    entities=_ENTITIES,
    texts={"name": "name"},
    numbers={**_TIMES, "timestamp": "updated"},
    listed=frozenset({"name"}),
    comparisons={"tag": TEXTUAL},
    text_comparisons=LISTED,
    takes_fractions=False,
)
VERSIONS = Language(
    entities=_ENTITIES,
    texts={"name": "model", "run_id": "run_id", "source_path": "source"},
    numbers={**_TIMES, "version_number": "version"},
    listed=frozenset({"model", "run_id"}),
    comparisons={"tag": TEXTUAL},
    text_comparisons=LISTED,
    takes_fractions=False,
)


def models_query(text: str | None, *, order_by: Sequence[str], limit: int, offset: int) -> ModelQuery:
    """Return the query for registered models, by name where nothing else is said; raise InvalidInput naming what is wrong."""
    order = [*parse_order(order_by, MODELS), Order(key="name")]
    return _query(parse_filter(text or "", MODELS), order, limit, offset)


def versions_query(text: str | None, *, order_by: Sequence[str], limit: int, offset: int) -> ModelQuery:
    """Return the query for versions, the last changed first where nothing else is said; raise InvalidInput naming what is wrong."""
    wanted = parse_order(order_by, VERSIONS) or (Order(key="updated", is_ascending=False),)
    order = [*wanted, Order(key="model"), Order(key="version", is_ascending=False)]
    return _query(parse_filter(text or "", VERSIONS), order, limit, offset)


def _query(conditions: Sequence[Condition], order: Sequence[Order], limit: int, offset: int) -> ModelQuery:
    known: dict[str, Order] = {}
    for each in order:
        known.setdefault(each.key, each)
    about = [condition for condition in conditions if condition.entity == "tag" and condition.key == IS_PROMPT]
    return ModelQuery(
        conditions=tuple(_timed(condition) for condition in conditions if condition not in about),
        order=tuple(known.values()),
        limit=limit,
        offset=offset,
        prompts=any(_asks_for_prompts(condition) for condition in about),
    )


def _asks_for_prompts(condition: Condition) -> bool:
    value = str(condition.value).lower()
    return (condition.operator, value) in (("=", "true"), ("!=", "false"))


def _timed(condition: Condition) -> Condition:
    if condition.key not in _TIMES.values() or not isinstance(condition.value, int | float):
        return condition
    return Condition(
        entity=condition.entity, key=condition.key, operator=condition.operator, value=instant(condition.value)
    )


def instant(millis: float) -> datetime:
    """Return the instant that milliseconds since 1970 say, kept within the years that there are."""
    return _EPOCH + timedelta(milliseconds=min(max(millis, 0), _MOST_MILLIS))
