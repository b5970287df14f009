"""The native API's batch jobs: rows in, an id back; later, how it is and the output."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from homeostat.app.batch_jobs import Jobs
from homeostat.app.wiring import House
from homeostat.core.errors import InvalidInput, NotFound

QUERY = ("version", "alias", "on_bad")
_AT_ONCE = 1 << 20
Handler = Callable[[House, Request], Awaitable[Response]]


def handlers(jobs: Jobs) -> dict[str, Handler]:
    """Return the handlers by the name of what they do."""

    async def submit(_house: House, request: Request) -> Response:
        """Answer rows with a version, in the background: the body is CSV (text/csv) or Parquet (application/vnd.apache.parquet)."""
        wanted = _query(request)
        model = f"{request.path_params['model']}@{wanted.get('version') or wanted.get('alias') or 'champion'}"
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if "content-encoding" in request.headers:
            raise InvalidInput("a packed body is not taken here", hint="send the file as it is")
        job_id = await _stored(jobs, request, model=model, on_bad=wanted.get("on_bad", "fail"), media_type=media_type)
        told = await run_in_threadpool(lambda: jobs.place(job_id).told())
        return JSONResponse(told, status_code=202)

    async def listed(_house: House, _request: Request) -> Response:
        """The batch jobs of this machine, the oldest first."""
        return JSONResponse({"jobs": await run_in_threadpool(lambda: [place.told() for place in jobs.all()])})

    async def one(_house: House, request: Request) -> Response:
        """How a batch job is."""
        return JSONResponse(await run_in_threadpool(lambda: jobs.place(request.path_params["job_id"]).told()))

    async def result(_house: House, request: Request) -> Response:
        """The output of a batch job that is done, as Parquet."""
        place = await run_in_threadpool(jobs.finished, request.path_params["job_id"])
        return FileResponse(place.output, media_type="application/vnd.apache.parquet", filename="predictions.parquet")

    async def rejects(_house: House, request: Request) -> Response:
        """The rows that a batch job set aside, as JSON lines."""
        place = await run_in_threadpool(jobs.finished, request.path_params["job_id"])
        if not place.rejects.is_file():
            raise NotFound("the job set no rows aside", hint="GET its result: every row is there")
        return FileResponse(place.rejects, media_type="application/jsonl", filename="rejects.jsonl")

    async def remove(_house: House, request: Request) -> Response:
        """Stop a batch job where it runs, and remove it and its files."""
        await run_in_threadpool(jobs.remove, request.path_params["job_id"])
        return JSONResponse({"removed": request.path_params["job_id"]})

    return {"submit": submit, "listed": listed, "one": one, "result": result, "rejects": rejects, "remove": remove}


async def _stored(jobs: Jobs, request: Request, *, model: str, on_bad: str, media_type: str) -> str:
    """Write the body to the disk, a megabyte at a time, and return the id of the job that it became."""
    opened = jobs.upload(model=model, on_bad=on_bad, media_type=media_type)
    upload = await run_in_threadpool(opened.__enter__)
    try:
        waiting = bytearray()
        async for part in request.stream():
            waiting += part
            if len(waiting) >= _AT_ONCE:
                await run_in_threadpool(upload.add, bytes(waiting))
                waiting.clear()
        await run_in_threadpool(upload.add, bytes(waiting))
        upload.finish()
    except BaseException as error:
        await run_in_threadpool(opened.__exit__, type(error), error, error.__traceback__)
        raise
    await run_in_threadpool(opened.__exit__, None, None, None)
    return upload.job_id


def _query(request: Request) -> dict[str, str]:
    """Return what the query says; raise InvalidInput for names that are not known, or there twice."""
    found = parse_qs(request.url.query, keep_blank_values=True)
    for name, values in found.items():
        if name not in QUERY or len(values) > 1:
            raise InvalidInput(f"the query has '{name[:40]}'", hint="known, each once: version or alias, on_bad")
    if "version" in found and "alias" in found:
        raise InvalidInput("both a version and an alias are named", hint="name one of them")
    return {name: values[0] for name, values in found.items()}
