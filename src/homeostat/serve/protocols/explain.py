"""POST /models/{model}/explain: what each column of a row added to the answer."""

from homeostat.core.errors import InvalidRows
from homeostat.core.values import Json
from homeostat.serve.arrow.door import read_rows
from homeostat.serve.door import Desk, Door, Endpoint
from homeostat.serve.exchange import Request, Response
from homeostat.serve.explain.explainers import NoExplainer
from homeostat.serve.headers import as_json, timeout_of
from homeostat.serve.questions import version_of
from homeostat.serve.schemas import explain_schemas

MOST_ROWS = 100


async def explain(desk: Desk, request: Request) -> Response:
    """Contributions to the answers of the champion, or of the version that the path names. Nothing is recorded."""
    version = request.params.get("version")
    served = desk.plane.served(request.params["model"], None if version is None else version_of(version))
    if desk.explainers is None:
        raise NoExplainer("this server explains nothing")
    table = (await read_rows(desk, request, served.decoder)).rows.table
    if table.height > MOST_ROWS:
        raise InvalidRows(
            f"{table.height} rows in one request, at most {MOST_ROWS} are explained at once", hint="send them in parts"
        )
    found = await desk.explainers.explain(served.model, served.version, table, limit_s=timeout_of(request.headers))
    return as_json({"model": served.model, "version": served.version, **found})


def _explaining(desk: Desk, model: str) -> Json:
    return explain_schemas(desk.plane.signature(model))


PROTOCOL = Door(
    name="explain",
    endpoints=tuple(
        Endpoint(method="POST", path=path, handler=explain, summary=summary, schema=_explaining)
        for path, summary in (
            ("/models/{model}/explain", "Explain predictions"),
            ("/models/{model}/versions/{version}/explain", "Explain predictions of one version"),
        )
    ),
)
