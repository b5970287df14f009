"""What a process logs: a line an event, its constant name first and its fields behind it."""

import json
import logging
import os

from homeostat.core.errors import InvalidInput

VARIABLE = "HOMEOSTAT_LOG"
_OURS = "homeostat."
_USUAL = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime"])


class Fields(logging.Formatter):
    """Writes the fields of our own events as `name=value`. A value with a space, a quote or a line's end is told as JSON: it cannot pass for another field or line."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        fields = vars(record) if record.name.startswith(_OURS) else {}
        ours = {name: value for name, value in fields.items() if name not in _USUAL and not name.startswith("_")}
        told = [f"{name}={_plain(value)}" for name, value in ours.items()]
        return " ".join([super().formatMessage(record), *told])


def log_to_stderr() -> None:
    """Begin to log, from the level on that the environment names; raise InvalidInput where it names none."""
    named = os.environ.get(VARIABLE, "WARNING").upper()
    if named not in logging.getLevelNamesMapping():
        raise InvalidInput(f"{VARIABLE} names no level: '{named}'", hint="debug, info, warning or error")
    handler = logging.StreamHandler()
    handler.setFormatter(Fields())
    logging.basicConfig(level=named, handlers=[handler])


def _plain(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and not set(text) & {" ", '"', "="} and text else json.dumps(text)
