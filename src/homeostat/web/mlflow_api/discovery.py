"""Finding the endpoints: every file in `endpoints/` has a constant ENDPOINTS; none is listed by hand."""

import importlib
import pkgutil

from homeostat.web.mlflow_api.endpoint import Endpoint


def discover() -> list[Endpoint]:
    """Return the endpoints of every file in `endpoints/`."""
    from homeostat.web.mlflow_api import endpoints

    return [
        endpoint
        for module in sorted(pkgutil.iter_modules(endpoints.__path__), key=lambda found: found.name)
        for endpoint in importlib.import_module(f"{endpoints.__name__}.{module.name}").ENDPOINTS
    ]
