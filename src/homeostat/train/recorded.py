"""Training settings as JSON, for the child process and for the record of a run."""

from collections.abc import Mapping
from typing import Any

import msgspec

from homeostat.core.duration import read, written
from homeostat.core.errors import InvalidInput
from homeostat.train.settings import TrainSettings


def settings_json(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings as JSON values, durations as people write them."""
    found: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=written)
    return found


def settings_from_json(value: Mapping[str, Any]) -> TrainSettings:
    """Return what `settings_json` wrote; raise InvalidInput where it is none."""
    try:
        return msgspec.convert(dict(value), TrainSettings, dec_hook=read)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"not training settings: {error}", hint="train again with this version") from error
