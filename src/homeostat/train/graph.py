"""The graph of steps and the keys of their contents: which results are still good, and why the others are not. Pure.

A step's key is the digest of all that its result depends on: its code, its environment, its parameters, the data it reads and the keys
of the steps before it. So a change anywhere reaches exactly the steps that follow from it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from homeostat.core.errors import InvalidInput, near

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step by name. `inputs` names the steps whose results it reads, `data` the digest of each thing it reads from outside.

    `code` and `environment` are digests; `params` are JSON values.
    """

    name: str
    code: str
    environment: str = ""
    inputs: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that the result of a step depends on, as JSON values; `inputs` maps the steps before it to their keys."""

    code: str
    environment: str
    inputs: Json
    data: Json
    params: Json

    @property
    def key(self) -> str:
        """The digest of the recipe, 64 hex digits."""
        return digest(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A step, whether a result under its key is known, and why that is so."""

    step: Step
    recipe: Recipe
    hit: bool
    reason: str

    @property
    def key(self) -> str:
        return self.recipe.key


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value; the order of keys does not matter.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def plan(steps: Sequence[Step], known: Mapping[str, Sequence[Recipe]]) -> list[Planned]:
    """Return the steps in an order in which each follows its inputs, with hit or miss and the reason.

    `known` maps a step to the recipes whose results are kept, newest first: the reason of a miss tells what differs from the nearest of them.
    Raises InvalidInput for a name that stands twice, an input that is no step, or a circle.
    """
    done: dict[str, Planned] = {}
    for step in _ordered(steps):
        recipe = Recipe(
            code=step.code,
            environment=step.environment,
            inputs={name: done[name].key for name in step.inputs},
            data=dict(step.data),
            params=dict(step.params),
        )
        kept = known.get(step.name, ())
        hit = any(one.key == recipe.key for one in kept)
        reason = "nothing changed" if hit else _why(recipe, kept)
        done[step.name] = Planned(step=step, recipe=recipe, hit=hit, reason=reason)
    return list(done.values())


def _ordered(steps: Sequence[Step]) -> list[Step]:
    by_name = {step.name: step for step in steps}
    if len(by_name) < len(steps):
        twice = sorted({step.name for step in steps if [s.name for s in steps].count(step.name) > 1})
        raise InvalidInput(f"step '{twice[0]}' stands twice", hint="give each step a name of its own")
    for step in steps:
        for name in step.inputs:
            if name not in by_name:
                raise InvalidInput(f"step '{step.name}' reads '{name}', which is no step", hint=near(name, by_name))
    ordered: list[Step] = []
    placed: set[str] = set()
    left = list(steps)
    while left:
        ready = [step for step in left if placed.issuperset(step.inputs)]
        if not ready:
            names = ", ".join(sorted(step.name for step in left))
            raise InvalidInput(f"steps wait for each other in a circle: {names}", hint="take one of their inputs away")
        ordered += ready
        placed.update(step.name for step in ready)
        left = [step for step in left if step.name not in placed]
    return ordered


def _why(recipe: Recipe, kept: Sequence[Recipe]) -> str:
    if not kept:
        return "never run before"
    nearest = min(kept, key=lambda before: len(_differences(before, recipe)))
    return "; ".join(_differences(nearest, recipe))


def _differences(before: Recipe, recipe: Recipe) -> list[str]:
    return [
        *_changes("params", before.params, recipe.params),
        *_changes("data", before.data, recipe.data, shown=False),
        *_changes("input", before.inputs, recipe.inputs, shown=False),
        *(["code changed"] if before.code != recipe.code else []),
        *(["environment changed"] if before.environment != recipe.environment else []),
    ]


def _changes(what: str, before: Json, now: Json, *, shown: bool = True) -> Iterable[str]:
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            yield f"{what} added: {name}" + (f" {_text(now[name])}" if shown else "")
        elif name not in now:
            yield f"{what} removed: {name}"
        elif digest(before[name]) != digest(now[name]):
            yield f"{what} changed: {name}" + (f" {_text(before[name])} -> {_text(now[name])}" if shown else "")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
