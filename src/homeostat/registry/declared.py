"""What a model package says of itself, read from its MLmodel file alone: no code of the package is run here.

Format: https://mlflow.org/docs/latest/ml/model/ ("MLflow Models"), inputs and outputs as JSON in `signature`.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from homeostat.core.columns import Kind, Param
from homeostat.core.errors import InvalidInput
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.values import Json
from homeostat.registry.versions import digests_of

MOST_BYTES = 1_000_000
KINDS = {
    "boolean": Kind.BOOLEAN,
    "integer": Kind.INTEGER,
    "long": Kind.INTEGER,
    "float": Kind.FLOAT,
    "double": Kind.FLOAT,
    "string": Kind.CATEGORY,
    "datetime": Kind.DATETIME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A column that the package declares: its name, its MLflow type, and whether it must be there."""

    name: str
    type: str
    is_required: bool = True

    @property
    def kind(self) -> Kind:
        return KINDS[self.type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """`inputs` is None where the package declares none. `own` is the exact signature of a package that the loop wrote.

    `params`: those of a type that a request can say; others keep their defaults.
    """

    flavors: tuple[str, ...]
    inputs: tuple[Input, ...] | None = None
    outputs: list[Json] = field(default_factory=list)
    own: Json | None = None
    params: tuple[Param, ...] = ()

    def to_json(self) -> Json:
        """Return what a version keeps of it until a cycle adopts the version."""
        inputs = None if self.inputs is None else [{"name": i.name, "type": i.type} for i in self.inputs]
        return {"declared": {"flavors": list(self.flavors), "inputs": inputs, "outputs": self.outputs}}


def declared(blobs: BlobStore, location: str) -> Declared | None:
    """Return what the package at a location declares, None where there is no package."""
    path = f"{location}/MLmodel"
    if not blobs.exists(path) or blobs.size(path) > MOST_BYTES:
        return None
    return parse(blobs.get_bytes(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What is kept of a package: the digest of each file (none: there is no package) and its signature."""

    digests: dict[str, str] = field(default_factory=dict)
    signature: Json = field(default_factory=dict)


def examine(blobs: BlobStore, location: str) -> Examined:
    """Return what is to be kept of the package at a location; empty where there is none. Costs a reading of all its files."""
    found = declared(blobs, location) if location else None
    if found is None:
        return Examined()
    return Examined(digests=digests_of(blobs.local(location)), signature=found.own or found.to_json())


def parse(content: bytes) -> Declared:
    """Return what an MLmodel file declares; raise InvalidInput where it is none."""
    import yaml

    try:
        found = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
        flavors: dict[str, Any] = found["flavors"]
        signature = found.get("signature") or {}
        inputs = signature.get("inputs")
        outputs = signature.get("outputs")
        return Declared(
            flavors=tuple(sorted(map(str, flavors))),
            inputs=None if inputs is None else tuple(_input(each) for each in json.loads(inputs)),
            outputs=[] if outputs is None else [dict(each) for each in json.loads(outputs)],
            own=(flavors.get("homeostat") or {}).get("signature"),
            params=tuple(_param(each) for each in json.loads(signature.get("params") or "[]") if each["type"] in KINDS),
        )
    except (yaml.YAMLError, UnicodeError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"the MLmodel file cannot be read: {type(error).__name__}: {error}") from error


def _param(found: Json) -> Param:
    return Param(name=str(found["name"]), type=str(found["type"]), is_list=found.get("shape") is not None)


def _input(found: Json) -> Input:
    name, kind = found.get("name"), found["type"]
    return Input(
        name=str(name) if name is not None else "", type=str(kind), is_required=bool(found.get("required", True))
    )
