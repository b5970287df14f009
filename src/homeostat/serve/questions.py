"""From rows that a protocol has read to an answer: what all doors have in common."""

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.serve.answer import Answer, Question
from homeostat.serve.door import Desk
from homeostat.serve.exchange import Request
from homeostat.serve.generation import Served
from homeostat.serve.headers import caller_of, parent_of, timeout_of
from homeostat.serve.validate import Rows


def served_by_default(desk: Desk) -> Served:
    """Return the model that a path without a name means: the project's, or the only one."""
    routes = desk.plane.routes
    if desk.default_model in routes:
        return desk.plane.served(desk.default_model)
    if len(routes) != 1:
        raise NotFound(
            "which model is meant?", hint=f"ask at /models/NAME/...: {', '.join(routes) or 'none is served yet'}"
        )
    return desk.plane.served(next(iter(routes)))


async def answered(
    desk: Desk,
    request: Request,
    served: Served,
    rows: Rows,
    *,
    version: int | None = None,
    request_id: str | None = None,
    key: str | None = None,
    wants_scores: bool = False,
) -> Answer:
    """Return the answer to rows. An id that the client chose is used once, or again for the same body. `key`: for rows without one of their own."""
    headers, parent = request.headers, parent_of(request.headers)
    question = Question(
        model=served.model,
        request_id=request_id or desk.new_id(),
        table=rows.table,
        keys=rows.keys,
        times=rows.times,
        key=key,
        version=version,
        timeout_s=timeout_of(headers),
        caller=caller_of(headers),
        trace=None if parent is None else parent.trace_id,
        parent=parent,
        wants_scores=wants_scores,
    )
    if request_id is None:
        return await desk.plane.answer(question)
    with desk.request_ids.taken(served.model, request_id, request.body):
        return await desk.plane.answer(question)


def version_of(text: str) -> int:
    """Return the version that a path names; raise NotFound where it is no number."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(f"'{text[:40]}' is not a version", hint="versions are numbers: 1, 2, ...")
    return int(text)


def said_id(value: object) -> str | None:
    """Return the id that a body gives its request, None without."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidInput("'id' is not a string", hint="leave it out to get one")
    return value
