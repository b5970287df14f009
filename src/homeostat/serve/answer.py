"""A question to a model and its answer, whatever door it came through; and why there may be none."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homeostat.core.errors import HomeostatError, Unreachable
from homeostat.serve.headers import Parent
from homeostat.serve.table import Table
from homeostat.serve.tracing import Trail
from homeostat.track.predictions import Predictions


class Question(msgspec.Struct, kw_only=True, eq=False):
    """Rows for a model. `keys`, `times`: of each row, None where not given; `key`: for rows without one of their own.

    `version`: ask that version, which must be routed; None: whom the route says. `timeout_s`: after that the client no longer wants it.
    `caller` and `trace` (a W3C trace id) go into the record. `parent`: what the request is part of; `trail`: where its steps are noted, if they are. `wants_scores`: an answer without probabilities is none.
    """

    model: str
    request_id: str
    table: Table
    keys: Sequence[str | None]
    times: Sequence[datetime | None]
    key: str | None = None
    version: int | None = None
    timeout_s: float | None = None
    caller: str | None = None
    trace: str | None = None
    parent: Parent | None = None
    trail: Trail | None = None
    wants_scores: bool = False


class Answer(msgspec.Struct, kw_only=True, eq=False):
    """What the client gets: whose predictions, in the order of the rows."""

    request_id: str
    model: str
    version: int
    predictions: Predictions


class OfVersion:
    """Which version of which model an error is about, where that is known: for the log, as the message is for the client."""

    model: str | None = None
    version: int | None = None


class PredictionFailed(OfVersion, HomeostatError):
    """The champion could not answer; the record says why."""

    code = "prediction_failed"


class VersionDown(OfVersion, Unreachable):
    """The version's process died, hangs or is being started again. Other versions and models are not touched."""

    code = "version_down"

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Overloaded(Unreachable):
    """More requests wait for the model than may."""

    code = "overloaded"
    http_status = 429
    retry_after_s = 1


class TooLate(Unreachable):
    """The answer would come later than the client wants it."""

    code = "deadline_exceeded"
    http_status = 504
