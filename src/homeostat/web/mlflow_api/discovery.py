"""Finding the endpoints: every file in `endpoints/` has a constant ENDPOINTS; none is listed by hand."""

from homeostat.core.plugins import modules
from homeostat.web.mlflow_api.endpoint import Endpoint


def discover() -> list[Endpoint]:
    """Return the endpoints of every file in `endpoints/`."""
    from homeostat.web.mlflow_api import endpoints

    found = modules(endpoints.__name__, endpoints.__path__).values()
    return [endpoint for module in found for endpoint in module.ENDPOINTS]
