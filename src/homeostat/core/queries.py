"""What is looked for, parsed and checked: stores turn it into their own language and never see the text that a client sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Operand: TypeAlias = str | float | datetime | tuple[str, ...] | None
Entity: TypeAlias = Literal["attribute", "metric", "param", "tag", "dataset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`operator` is one of = != < <= > >= LIKE ILIKE IN, NOT IN, IS NULL, IS NOT NULL; `key` an attribute's name, or that of a tag, param or metric.

    Of a run's metric, IS NULL says that it has none, and IS NAN that it is no number.
    """

    entity: Entity
    key: str
    operator: str
    value: Operand


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Rows without a value come last, whichever way. A metric may be meant as measured on one data set only."""

    key: str
    entity: Entity = "attribute"
    is_ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuery:
    """Registered models, or versions. `prompts`: those that are prompts instead of those that are not."""

    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = 100
    offset: int = 0
    prompts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModelQuery:
    """Logged models of some experiments. `datasets`, pairs of a name and a digest (empty: any), narrow which metrics count."""

    experiment_ids: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    datasets: tuple[tuple[str, str], ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentQuery:
    """Experiments in one of the lifecycle `stages`."""

    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    stages: tuple[str, ...] = ("active",)
    limit: int = 1000
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Runs of some experiments, in one of the lifecycle `stages`. Whatever the order: then the newest first, then by id.

    In an order by a metric, NaN comes after every number and before runs without the metric.
    """

    experiment_ids: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    stages: tuple[str, ...] = ("active",)
    limit: int = 1000
    offset: int = 0
