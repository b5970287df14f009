"""In this process."""

from collections.abc import Iterator

from homeostat.serve.batch.executor import Executor, Model
from homeostat.serve.batch.inputs import Chunk
from homeostat.serve.batch.scoring import Scored, score


def run(model: Model, chunks: Iterator[Chunk]) -> Iterator[Scored]:
    from homeostat.train.package import read_package

    package = read_package(model.folder, signature=model.signature)
    for chunk in chunks:
        yield score(package, chunk)


EXECUTOR = Executor(name="here", run=run)
