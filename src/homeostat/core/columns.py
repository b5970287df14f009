"""Columns, tasks and signatures: what a model takes and what it answers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Task(StrEnum):
    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Kind(StrEnum):
    """What a column is to statistics, whatever its storage type."""

    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    DATETIME = "datetime"
    TEXT = "text"

    @property
    def is_numeric(self) -> bool:
        return self in (Kind.INTEGER, Kind.FLOAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    kind: Kind
    nullable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """What a request may tell a model beside its rows. `type` is MLflow's word (`double`, `long`, ...); `is_list`: several of it."""

    name: str
    type: str
    is_list: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The columns a model wants, in its order, and what it answers.

    `classes` are the labels in the order of the columns of `predict_proba`; empty for regression. `params`: of models that clients logged with some.
    """

    task: Task
    columns: tuple[Column, ...]
    target: str
    classes: tuple[Any, ...] = ()
    params: tuple[Param, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"a signature names each column once, got {names}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which column plays which part in a data set; the rest are features."""

    target: str
    time: str | None = None
    key: tuple[str, ...] = ()
    exclude: tuple[str, ...] = field(default=())

    def features(self, names: tuple[str, ...] | list[str]) -> list[str]:
        """Return the names that are neither target, key nor excluded (the time column is one only if not set as time)."""
        not_features = {self.target, self.time, *self.key, *self.exclude}
        return [name for name in names if name not in not_features]
