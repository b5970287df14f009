"""Training a recorded run again, to see whether the same model comes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from homeostat.core.columns import Roles, Signature
from homeostat.core.errors import Conflict, NotFound
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.store import Store
from homeostat.core.records.tracking import Run, RunStatus
from homeostat.data.split import Split
from homeostat.track.predictions import Predictions
from homeostat.train.facts import code_of, environment_fact, hardware_fact, packages, rows_digest
from homeostat.train.jobs import train_in_child
from homeostat.train.recorded import settings_from_json
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import from_json

# Same code on the same machine agrees to the last bit; other processors may add up in another order.
TOLERANCE = 1e-9
_MOST_PACKAGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """Whether the second model answers as the first. `max_difference`: the largest of any score or number, NaN where rows differ.

    `reasons` tell what is not as it was (rows, code, environment, hardware); with `agrees` they are for information.
    """

    run_id: str
    agrees: bool
    max_difference: float
    reasons: tuple[str, ...]


def reproduce(
    run_id: str,
    *,
    store: Store,
    blobs: BlobStore,
    rows: Callable[[int, TrainSettings], Split],
    root: Path,
    workdir: Path,
    tolerance: float = TOLERANCE,
    environment: Mapping[str, str] | None = None,
) -> Reproduction:
    """Train again from the recorded data version, settings and seed, and compare the answers to the same test rows.

    `rows` gives the split of a data version under settings, as it was made for the run. The code is the one at `root` now. Nothing is
    recorded. Raises NotFound for an unknown run or one without predictions, Conflict for one that did not finish, and what training raises.
    """
    with store.read() as tx:
        run = tx.runs.get(run_id)
    if run.status is not RunStatus.FINISHED:
        raise Conflict(
            f"run '{run.run_id}' is {run.status.value}, there is no model to compare with",
            hint="reproduce a finished run",
        )
    missing = [name for name in ("settings", "signature", "roles", "dataset_version") if name not in run.facts]
    if missing:
        raise NotFound(
            f"run '{run.run_id}' does not record its {missing[0]}",
            hint="only runs of this project's trainer can be reproduced",
        )
    path = f"{run.artifacts}/test_predictions.parquet"
    if not blobs.exists(path):
        raise NotFound(f"run '{run.run_id}' has no test predictions to compare with")
    settings, signature = settings_from_json(run.facts["settings"]), from_json(run.facts["signature"])
    split = rows(run.facts["dataset_version"], settings)
    before = Predictions.from_frame(pl.read_parquet(blobs.local(path)), classes=signature.classes)
    after = _again(split, run, signature, settings, root=root, workdir=workdir, environment=environment)
    difference = _difference(before, after)
    return Reproduction(
        run_id=run.run_id,
        agrees=difference <= tolerance,
        max_difference=difference,
        reasons=tuple(_reasons(run, split, blobs, root=root, settings=settings)),
    )


def _again(
    split: Split,
    run: Run,
    signature: Signature,
    settings: TrainSettings,
    *,
    root: Path,
    workdir: Path,
    environment: Mapping[str, str] | None,
) -> Predictions:
    trained = train_in_child(
        split.train,
        split.test,
        roles=msgspec.convert(run.facts["roles"], Roles),
        signature=signature,
        settings=settings,
        root=root,
        workdir=workdir,
        environment=environment,
    )
    assert trained.predictions is not None  # there are test rows
    return trained.predictions


def _difference(before: Predictions, after: Predictions) -> float:
    """Return the largest difference of scores or numbers; of classes without scores 1 where any differs. NaN equals NaN."""
    if len(before) != len(after) or (before.scores is None) != (after.scores is None):
        return float("nan")
    if not len(before):
        return 0.0
    if before.scores is not None and after.scores is not None:
        return max(_gap(before.scores, after.scores), _labels(before, after))
    return _gap(before.labels, after.labels) if not before.classes else _labels(before, after)


def _labels(before: Predictions, after: Predictions) -> float:
    return float(before.labels.tolist() != after.labels.tolist())


def _gap(before: Any, after: Any) -> float:
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if not (np.isnan(first) == np.isnan(second)).all():
        return float("inf")
    equal = (first == second) | np.isnan(first)
    return float(np.max(np.where(equal, 0.0, np.abs(np.where(equal, 0.0, first) - np.where(equal, 0.0, second)))))


def _reasons(run: Run, split: Split, blobs: BlobStore, *, root: Path, settings: TrainSettings) -> list[str]:
    facts = run.facts
    reasons = []
    for what, frame in (("train_rows", split.train), ("test_rows", split.test)):
        if facts.get(what, {}).get("digest") != rows_digest(frame):
            was = facts.get(what, {}).get("rows")
            reasons.append(f"{what.replace('_', ' ')} are not the same ({was} then, {frame.height} now)")
    code, then = code_of(root, function=settings.function), facts.get("code", {})
    if code.digest != then.get("digest"):
        reasons.append(f"the code changed (commit {_short(then.get('commit'))} then, {_short(code.commit)} now)")
    environment = environment_fact()
    if environment["digest"] != facts.get("environment", {}).get("digest"):
        reasons.append(f"the environment changed: {_environment(run, blobs, environment)}")
    if hardware_fact()["cpu"] != facts.get("hardware", {}).get("cpu"):
        reasons.append(f"another processor ({facts.get('hardware', {}).get('cpu')} then, {hardware_fact()['cpu']} now)")
    return reasons


def _short(commit: str | None) -> str:
    return commit[:10] if commit else "none"


def _environment(run: Run, blobs: BlobStore, now: dict[str, Any]) -> str:
    then = run.facts.get("environment", {})
    told = [f"{what} {then.get(what)} -> {now[what]}" for what in ("python", "platform") if then.get(what) != now[what]]
    path = f"{run.artifacts}/environment.txt"
    if blobs.exists(path):
        old = set(blobs.get_bytes(path).decode().splitlines())
        changed = [
            *(f"-{one}" for one in sorted(old - set(packages()))),
            *(f"+{one}" for one in sorted(set(packages()) - old)),
        ]
        told += changed[:_MOST_PACKAGES] + (
            [f"and {len(changed) - _MOST_PACKAGES} more"] if len(changed) > _MOST_PACKAGES else []
        )
    return ", ".join(told) or "packages differ"
