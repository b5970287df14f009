"""Batches of a project's versions: from what a user asks to the output."""

from collections.abc import Callable
from pathlib import Path

from homeostat.app.promoting import which_version
from homeostat.app.wiring import House
from homeostat.core.errors import InvalidInput, NotFound, near
from homeostat.registry.versions import package_of
from homeostat.serve.batch.batch import Done, OnBad, Order, begun_version, run_batch
from homeostat.serve.batch.executor import Executor, Model
from homeostat.serve.batch.executors import executors
from homeostat.serve.batch.inputs import files_of, rows_known
from homeostat.train.signature import from_json


def predict_files(
    house: House,
    asked: str,
    *,
    root: Path,
    model: str,
    output: Path,
    on_bad: OnBad = "fail",
    on: str = "here",
    restart: bool = False,
    tell: Callable[[int, int | None], None] = lambda _done, _all: None,
) -> Done:
    """Answer every row of the files with a version (`churn@champion`, `@3`, ...) and write them, with the answers, to a Parquet file.

    `tell` gets the rows that are done, and all of them where that is known.
    """
    executor = _executor(on)
    files = files_of(asked, root=root)
    target = (root / output).resolve()
    if target.suffix != ".parquet":
        raise InvalidInput(f"'{output}' does not end in .parquet", hint="the output is a Parquet file")
    if target in [path.resolve() for path in files]:
        raise InvalidInput("the output is an input too", hint="name another output")
    if not target.parent.is_dir():
        raise InvalidInput(f"there is no folder '{target.parent}'", hint="make it, or name another output")
    version = which_version(house, model)
    begun = None if restart else begun_version(target, model)
    if begun is not None and begun != version.version:
        version = which_version(house, f"{version.model}@{begun}")
    signature = from_json(version.signature) if version.source else None
    total = rows_known(files)
    return run_batch(
        Order(
            files=tuple(files),
            output=target,
            asked=model,
            model=version.model,
            version=version.version,
            run_id=version.run_id,
            on_bad=on_bad,
        ),
        Model(folder=package_of(version, blobs=house.blobs), signature=signature),
        executor,
        restart=restart,
        tell=lambda done: tell(done, total),
    )


def _executor(name: str) -> Executor:
    known = executors()
    if name not in known:
        raise NotFound(
            f"nothing to predict on is called '{name}'", hint=near(name, known) or f"known: {', '.join(known)}"
        )
    return known[name]
