"""Errors as the client world knows them: `{"error_code", "message"}` and a status."""

from homeostat.core.errors import (
    AlreadyExists,
    Conflict,
    HomeostatError,
    InvalidInput,
    NotAllowed,
    NotFound,
    Unreachable,
)

STATUS = {
    "INVALID_PARAMETER_VALUE": 400,
    "BAD_REQUEST": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}

# The first kind that fits names the code; a subclass stands before its parent.
_CODES: tuple[tuple[type[HomeostatError], str], ...] = (
    (AlreadyExists, "RESOURCE_ALREADY_EXISTS"),
    (NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (NotAllowed, "PERMISSION_DENIED"),
    (Unreachable, "TEMPORARILY_UNAVAILABLE"),
    (InvalidInput, "INVALID_PARAMETER_VALUE"),
    (Conflict, "INVALID_PARAMETER_VALUE"),
)


class WireError(HomeostatError):
    """An answer with exactly this error code; `code` is a key of STATUS, `status` where it is not the code's own."""

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = status or STATUS[code]

    def __reduce__(self) -> tuple[object, ...]:
        return (WireError, (self.code, self.message))


def invalid(message: str) -> WireError:
    """Return the error for a value that cannot be used."""
    return WireError("INVALID_PARAMETER_VALUE", message)


def does_not_exist(message: str) -> WireError:
    """Return the error for a name that nothing has."""
    return WireError("RESOURCE_DOES_NOT_EXIST", message)


def told(error: HomeostatError) -> tuple[int, dict[str, str]]:
    """Return the status and the body that an error is answered with."""
    if isinstance(error, WireError):
        return error.http_status, {"error_code": error.code, "message": error.message}
    code = next((name for kind, name in _CODES if isinstance(error, kind)), "INTERNAL_ERROR")
    if code == "INTERNAL_ERROR" and error.http_status < 500:
        code = "BAD_REQUEST"
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    return STATUS[code], {"error_code": code, "message": message}
