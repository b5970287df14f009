"""The process that explains one version: `python -m homeostat.serve.explain.child PACKAGE FD LIFE [SIGNATURE]`, as `serve.hosts.child`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from homeostat.serve.explain.contributions import NotExplainable
from homeostat.serve.explain.explain import Explainer
from homeostat.serve.hosts.child import main
from homeostat.serve.hosts.frames import Ask, Failed, Frame, Said, table_of
from homeostat.train.package import Package, read_background


def explaining(package: Package, folder: Path) -> Callable[[Ask], Frame]:
    """Return what answers questions for explanations."""
    explainer = Explainer(package, read_background(folder, package.signature))

    def answer(asked: Ask) -> Frame:
        try:
            return Said(labels=[], value=explainer.explain(table_of(asked, package.signature.columns)))
        except NotExplainable as error:
            return Failed(kind=error.code, message=error.message, hint=error.hint)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - border: a model's code raises what it likes
            return Failed(kind=type(error).__name__, message=str(error))

    return answer


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:5], prepare=explaining)
    sys.stdout.flush()
    os._exit(0)
