"""Where a project may be exported to. One file per target, with the constant TARGET; found by looking into this folder."""

from homeostat.app.export.target import Target
from homeostat.core.plugins import plugins


def targets() -> dict[str, Target]:
    """Return every target by name."""
    return plugins(__name__, __path__, "TARGET")
