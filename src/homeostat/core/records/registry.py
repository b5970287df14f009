"""What a model is called, its versions, and how they were judged."""

from dataclasses import dataclass, field
from datetime import datetime

from homeostat.core.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """An immutable version of a named model.

    `location` is the blob prefix of its package, `digests` maps each file to its SHA-256 (empty: there was no package, so it cannot be
    served), `lineage` names data version, run, code and environment, `report` is the gate report's id. One that a client registered has
    the `source` that the client named, and until a cycle has adopted it a `signature` that only tells what its package declares.
    """

    model: str
    version: int
    run_id: str
    created: datetime
    location: str
    digests: dict[str, str]
    signature: Json
    lineage: Json
    report_id: str | None = None
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    health: str = "ok"
    updated: datetime | None = None
    stage: str = "None"
    source: str = ""
    model_id: str = ""
    run_link: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A name that versions are registered under, and what is said of it."""

    name: str
    created: datetime
    updated: datetime
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    report_id: str
    model: str
    run_id: str
    created: datetime
    passed: bool
    body: Json
