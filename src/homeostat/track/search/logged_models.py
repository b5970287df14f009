"""What logged models can be asked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from homeostat.core.errors import InvalidInput
from homeostat.core.queries import Condition, Entity, LoggedModelQuery, Operand, Order
from homeostat.track.search.language import LISTED, NUMERIC, Language
from homeostat.track.search.parse import identifier, parse_filter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_MILLIS = 253_402_300_799_999  # the end of the year 9999
_STATUS = {"1": "PENDING", "2": "READY", "3": "FAILED", "UPLOAD_FAILED": "FAILED"}
_TIMES = {
    "creation_time": "created",
    "creation_timestamp": "created",
    "creation_timestamp_ms": "created",
    "last_updated_timestamp": "updated",
    "last_updated_timestamp_ms": "updated",
}
_ENTITIES: dict[str, Entity] = {
    "attributes": "attribute",
    "attribute": "attribute",
    "metrics": "metric",
    "metric": "metric",
    "params": "param",
    "param": "param",
    "tags": "tag",
    "tag": "tag",
}

LOGGED_MODELS = Language(
    entities=_ENTITIES,
    texts={name: name for name in ("name", "model_id", "model_type", "status", "source_run_id", "experiment_id")},
    numbers=_TIMES,
    listed=frozenset({"name", "model_id", "model_type", "status", "source_run_id", "experiment_id"}),
    comparisons={"metric": NUMERIC, "param": LISTED, "tag": LISTED},
    text_comparisons=LISTED,
    orders=frozenset({"attribute", "metric"}),
)


def logged_models_query(
    text: str | None,
    *,
    experiment_ids: Sequence[str],
    datasets: Sequence[tuple[str, str]],
    order: Sequence[Order],
    limit: int,
    offset: int,
) -> LoggedModelQuery:
    """Return the query, the newest first where nothing else is said; raise InvalidInput naming what is wrong.

    `order` names its fields as the client did: `metrics.auc`, `creation_timestamp`.
    """
    orders = [_ordered(each) for each in order]
    known = {each.key for each in orders if each.entity == "attribute"}
    if "created" not in known:
        orders.append(Order(key="created", is_ascending=False))
    if "model_id" not in known:
        orders.append(Order(key="model_id"))
    return LoggedModelQuery(
        experiment_ids=tuple(experiment_ids),
        conditions=tuple(_meant(condition) for condition in parse_filter(text or "", LOGGED_MODELS)),
        datasets=tuple(datasets),
        order=tuple(orders),
        limit=limit,
        offset=offset,
    )


def _ordered(order: Order) -> Order:
    entity, key = identifier(order.key, LOGGED_MODELS)
    if entity not in LOGGED_MODELS.orders:
        raise InvalidInput(
            f"Invalid order by field name: {order.key[:200]}. Only metrics and attributes are supported."
        )
    return Order(
        key=key,
        entity=entity,
        is_ascending=order.is_ascending,
        dataset_name=order.dataset_name,
        dataset_digest=order.dataset_digest,
    )


def _meant(condition: Condition) -> Condition:
    """The condition in the store's own values: instants for milliseconds, words for statuses."""
    value: Operand = condition.value
    if condition.entity != "attribute":
        return condition
    if condition.key in _TIMES.values() and isinstance(value, int | float):
        value = _EPOCH + timedelta(milliseconds=min(max(value, 0), _MOST_MILLIS))
    elif condition.key == "status" and isinstance(value, str):
        word = value.removeprefix("LOGGED_MODEL_")
        value = _STATUS.get(word, word)
    return Condition(entity="attribute", key=condition.key, operator=condition.operator, value=value)
