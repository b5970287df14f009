"""What `homeostat up` becomes once its command line is read: the same process, started anew without the libraries that read it.

They take 15 MB, and this process lives as long as the server.
"""

import json
import os
import sys
from typing import NoReturn

from homeostat.cli.border import inside_the_border


def become(*, workers: int | None, replay: bool, every_s: float) -> NoReturn:
    """Replace this process; what is in its environment (which project, whether JSON is wanted) stays."""
    options = json.dumps({"workers": workers, "replay": replay, "every_s": every_s})
    os.execv(sys.executable, [sys.executable, "-m", __name__, options])  # noqa: S606 - ourselves


def main() -> int:
    from homeostat.app.up import up
    from homeostat.cli.house import place
    from homeostat.cli.output import say

    up(place(), **json.loads(sys.argv[1]), tell=say)
    return 0


if __name__ == "__main__":
    sys.exit(inside_the_border(main))
