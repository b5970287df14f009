"""The tree of errors. Each says what was asked, what was found, and (as a hint) what to do."""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_COMPARED = 200  # letters: what is longer is no name that was mistyped, and comparing costs more than its length


class HomeostatError(Exception):
    """Root of all errors that a user can act on.

    `code` is stable and goes over the wire, `exit_status` is the command's, `http_status` the server's.
    """

    code = "internal"
    exit_status = 70
    http_status = 500

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[HomeostatError], message: str, hint: str | None) -> HomeostatError:
    return kind(message, hint=hint)


class CheckFailed(HomeostatError):
    """A check that was asked for did not pass: gate red, contract broken, drift found."""

    code = "check_failed"
    exit_status = 1
    http_status = 409


class InvalidInput(HomeostatError):
    """What the user gave cannot be used: a file, an option, a value."""

    code = "invalid_input"
    exit_status = 2
    http_status = 400


class InvalidProject(InvalidInput):
    """homeostat.yaml is wrong at a place that the message names."""

    code = "invalid_project"


class InvalidRows(InvalidInput):
    """Rows do not fit the signature; `fields` says which and why."""

    code = "invalid_rows"
    http_status = 422

    def __init__(self, message: str, *, hint: str | None = None, fields: Iterable[dict[str, object]] = ()) -> None:
        super().__init__(message, hint=hint)
        self.fields = list(fields)


class MissingExtra(InvalidInput):
    """An optional part is not installed."""

    code = "missing_extra"

    def __init__(self, message: str, *, hint: str | None = None, extra: str | None = None) -> None:
        super().__init__(message, hint=f"pip install 'homeostat[{extra}]'" if extra else hint)


class NotEnoughData(InvalidInput):
    """Too few rows for the answer to be more than noise."""

    code = "not_enough_data"
    http_status = 409


class NotFound(HomeostatError):
    """Nothing has that name."""

    code = "not_found"
    exit_status = 3
    http_status = 404


class NotAllowed(HomeostatError):
    """The caller may not do that, or a rule forbids it."""

    code = "not_allowed"
    exit_status = 4
    http_status = 403


class Unreachable(HomeostatError):
    """A server or store does not answer."""

    code = "unreachable"
    exit_status = 5
    http_status = 503


class Conflict(HomeostatError):
    """The state is not the one that the request expected."""

    code = "conflict"
    exit_status = 6
    http_status = 409


class AlreadyExists(Conflict):
    """Something has that name already."""

    code = "already_exists"


class Quarantined(CheckFailed):
    """A batch broke the contract and was set aside whole; nothing was committed."""

    code = "quarantined"


class JobFailed(CheckFailed):
    """User code raised, hung, outgrew its limits or returned something that is not a model."""

    code = "job_failed"


class JobKilled(JobFailed):
    """User code was killed from outside (the system was short of memory, say): worth one more try."""


class AuditBroken(CheckFailed):
    """The audit chain does not verify; the message names the first bad entry."""

    code = "audit_broken"


def near(name: str, known: Iterable[str]) -> str | None:
    """Return a hint with the names that `name` may have been meant for, or the known ones, or None.

    >>> near("chrun", ["churn", "sales"])
    "did you mean 'churn'?"
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=3) if len(name) <= _MOST_COMPARED else []
    if close:
        return "did you mean " + " or ".join(f"'{n}'" for n in close) + "?"
    if names:
        listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return f"known: {listed}"
    return None
