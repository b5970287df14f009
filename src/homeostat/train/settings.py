"""What homeostat.yaml says about training."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from homeostat.core.duration import Duration


class TrainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model is made from data.

    `function`: `module:function` of the user's own code, found from the project's folder; None: the default trainer.
    `window`: how far back training rows go, counted from the newest row whose label is known; None: everything.
    `refit`: after the gate, train once more on all rows, the tested ones included: where the world moves, the newest rows teach most.
    `env`: names of environment variables that user code may see, beyond a harmless few (secrets are not passed by default).
    """

    function: str | None = None
    window: Duration | None = None
    max_rows: Annotated[int, Meta(ge=1)] | None = None
    test_share: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    refit: bool = True
    seed: int = 0
    timeout: Duration = msgspec.field(default_factory=lambda: Duration(minutes=30))
    memory: str = "4GB"
    env: list[str] = []
    params: dict[str, Any] = {}
