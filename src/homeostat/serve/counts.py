"""What serving counts, as plain numbers that can be written down, read back and added up.

A process goes on with the counts of the one whose place it takes, so that no counter ever goes backwards.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = tuple(float(2**power) for power in range(13))
_KEPT_VERSIONS = 50  # of a model: those before are forgotten, so that years of versions do not make scrapes ever longer

K = TypeVar("K")
Snapshot = tuple[int, bytes]
"""The how-manieth of its process, and counts as MessagePack."""


class Histogram(msgspec.Struct, gc=False):
    """`counts` of values up to each bound and, last, above all of them; not cumulative."""

    counts: list[int]
    total: float = 0.0

    def buckets(self, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
        """Return cumulative counts, as Prometheus wants them."""
        found, so_far = [], 0
        for bound, count in zip((*map(str, bounds), "+Inf"), self.counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found


def _of_seconds() -> Histogram:
    return Histogram([0] * (len(SECONDS) + 1))


def _of_rows() -> Histogram:
    return Histogram([0] * (len(ROWS) + 1))


class Endpoint(msgspec.Struct):
    """What one path did, by status."""

    by_status: dict[int, int] = {}
    seconds: Histogram = msgspec.field(default_factory=_of_seconds)

    def answered(self, status: int, seconds: float) -> None:
        self.by_status[status] = self.by_status.get(status, 0) + 1
        histogram = self.seconds
        histogram.counts[bisect_left(SECONDS, seconds)] += 1
        histogram.total += seconds


class Series(msgspec.Struct):
    """What one version did in one role. Histograms have a value for each request; `evaluation` and `batch_rows` are of its batch.

    `answer` and `queue` are of requests that were answered, not of shadows.
    """

    rows: int = 0
    by_status: dict[str, int] = {}
    evaluation: Histogram = msgspec.field(default_factory=_of_seconds)
    answer: Histogram = msgspec.field(default_factory=_of_seconds)
    queue: Histogram = msgspec.field(default_factory=_of_seconds)
    batch_rows: Histogram = msgspec.field(default_factory=_of_rows)

    # the adding stands in each method: a call more for each histogram would double what counting costs

    def evaluated(self, status: str, requests: int, rows: int, batch_rows: int, seconds: float) -> None:
        """Count requests of one batch."""
        self.rows += rows
        self.by_status[status] = self.by_status.get(status, 0) + requests
        histogram = self.evaluation
        histogram.counts[bisect_left(SECONDS, seconds)] += requests
        histogram.total += seconds * requests
        histogram = self.batch_rows
        histogram.counts[min((batch_rows - 1).bit_length(), len(ROWS))] += requests
        histogram.total += batch_rows * requests

    def answered(self, seconds: float, waited: float) -> None:
        """Count a request's answer, and how long it waited for the model."""
        histogram = self.answer
        histogram.counts[bisect_left(SECONDS, seconds)] += 1
        histogram.total += seconds
        histogram = self.queue
        histogram.counts[bisect_left(SECONDS, waited)] += 1
        histogram.total += waited

    def answered_together(self, endpoint: Endpoint, starts: Sequence[float], began: float, now: float) -> None:
        """Count requests that came at `starts`, were evaluated from `began` on and are answered now, here and where they came in."""
        here, there, waits, whole, waited = self.answer, endpoint.seconds, self.queue.counts, 0.0, 0.0
        for start in starts:
            seconds, wait = now - start, began - start
            at = bisect_left(SECONDS, seconds)
            here.counts[at] += 1
            there.counts[at] += 1
            waits[bisect_left(SECONDS, wait)] += 1
            whole += seconds
            waited += wait
        here.total += whole
        there.total += whole
        self.queue.total += waited
        endpoint.by_status[200] = endpoint.by_status.get(200, 0) + len(starts)

    def refused(self, status: str) -> None:
        """Count a request that was not evaluated."""
        self.by_status[status] = self.by_status.get(status, 0) + 1


class Counts(msgspec.Struct):
    """Everything of one process. `series`: by model, version and role; `endpoints`: by path. `waiting`: now, by model and version."""

    series: dict[tuple[str, int, str], Series] = {}
    endpoints: dict[str, Endpoint] = {}
    labels: dict[str, int] = {}
    unsampled: dict[str, int] = {}
    shadows_dropped: dict[str, int] = {}
    waiting: dict[tuple[str, int], int] = {}
    workers: int = 0

    def at_rest(self) -> "Counts":
        """Return what is left when the process is gone: nothing waits."""
        return msgspec.structs.replace(self, waiting={}, workers=0)

    def pruned(self) -> "Counts":
        """Return the counts without versions that are long past. Of a sum, those of each part are missing too: it shows nowhere."""
        versions: dict[str, set[int]] = {}
        for model, version, _ in self.series:
            versions.setdefault(model, set()).add(version)
        oldest = {model: sorted(found)[-_KEPT_VERSIONS:][0] for model, found in versions.items()}
        series = {key: series for key, series in self.series.items() if key[1] >= oldest[key[0]]}
        return msgspec.structs.replace(self, series=series)


_decode = msgspec.msgpack.Decoder(Counts).decode


def counts_of(content: bytes) -> Counts:
    """Return the counts that bytes hold; raise msgspec.DecodeError where they hold none."""
    return _decode(content)


def total(all_counts: Iterable[Counts]) -> Counts:
    """Return the sum, without versions that are long past."""
    whole = Counts()
    for one in all_counts:
        for key, series in one.series.items():
            known = whole.series.setdefault(key, Series())
            known.rows += series.rows
            _add(known.by_status, series.by_status)
            _add_histogram(known.evaluation, series.evaluation)
            _add_histogram(known.answer, series.answer)
            _add_histogram(known.queue, series.queue)
            _add_histogram(known.batch_rows, series.batch_rows)
        for path, endpoint in one.endpoints.items():
            mine = whole.endpoints.setdefault(path, Endpoint())
            _add(mine.by_status, endpoint.by_status)
            _add_histogram(mine.seconds, endpoint.seconds)
        _add(whole.labels, one.labels)
        _add(whole.unsampled, one.unsampled)
        _add(whole.shadows_dropped, one.shadows_dropped)
        _add(whole.waiting, one.waiting)
        whole.workers += one.workers
    return whole.pruned()


def _add(mine: dict[K, int], other: Mapping[K, int]) -> None:
    for key, count in other.items():
        mine[key] = mine.get(key, 0) + count


def _add_histogram(mine: Histogram, other: Histogram) -> None:
    mine.counts = [a + b for a, b in zip(mine.counts, other.counts, strict=True)]
    mine.total += other.total
