"""Where the chunks of a batch are answered. One file per executor, with the constant EXECUTOR; found by looking into this folder."""

from homeostat.core.plugins import plugins
from homeostat.serve.batch.executor import Executor


def executors() -> dict[str, Executor]:
    """Return every executor by name."""
    return plugins(__name__, __path__, "EXECUTOR")
