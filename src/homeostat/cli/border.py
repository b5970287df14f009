"""The border of the command line: what arrives here becomes a message and an exit status."""

import os
import sys
import traceback
from collections.abc import Callable

from homeostat.app.logs import log_to_stderr
from homeostat.core.errors import HomeostatError

_INTERRUPTED = 130


def inside_the_border(work: Callable[[], int]) -> int:
    """Return the exit status of the work; an error becomes its message and its own status."""
    from homeostat.cli import output

    try:
        log_to_stderr()
        return work()
    except HomeostatError as error:
        return output.fail(error)
    except KeyboardInterrupt:
        output.say("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the border of the command line: what arrives here is our bug, and is said to be one
        traceback.print_exc()
        return output.fail(
            HomeostatError(f"a bug in Homeostat: {type(error).__name__}: {error}", hint="please report the lines above")
        )
