"""The candidate loads in a fresh process of the real server, and answers there as it did when it was trained."""

import math
from typing import Any

import numpy as np

from homeostat.core.columns import Task
from homeostat.core.ports.probe import ProbeAnswer
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import PROBE_ROWS, Evidence
from homeostat.gate.settings import GateSettings

NAME = "infrastructure"
TOLERANCE = 1e-6


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    if not settings.infrastructure:
        return [Result(check=NAME, passed=None, reason="gate.infrastructure is off")]
    if evidence.probe is None:
        return [Result(check=NAME, passed=None, reason="there is no server to try the model in here")]
    answer = evidence.probe()
    loads = Result(
        check=NAME,
        subject="loads",
        passed=True,
        value=answer.load_s,
        reason=f"loaded in a fresh server in {answer.load_s:.2f} s",
    )
    return [loads, _agrees(evidence, answer.outputs), _latency(answer, settings)]


def _agrees(evidence: Evidence, outputs: list[Any]) -> Result:
    expected = min(PROBE_ROWS, len(evidence.candidate))
    if len(outputs) != expected:
        reason = f"{len(outputs)} answers to {expected} rows"
        return Result(check=NAME, subject="agrees", passed=False, reason=reason)
    gaps = [_gap(evidence, row, output) for row, output in enumerate(outputs)]
    worst = int(np.argmax(gaps))
    passed = all(gap <= TOLERANCE for gap in gaps)
    bad = sum(not gap <= TOLERANCE for gap in gaps)
    return Result(
        check=NAME,
        subject="agrees",
        passed=passed,
        value=gaps[worst],
        limit=TOLERANCE,
        reason=f"answers to {expected} rows as at training time"
        if passed
        else f"{bad} of {expected} answers are not those of training time; first row {_first_bad(gaps)}",
        details={} if passed else {"rows": [row for row, gap in enumerate(gaps) if not gap <= TOLERANCE][:20]},
    )


def _first_bad(gaps: list[float]) -> int:
    return next(row for row, gap in enumerate(gaps) if not gap <= TOLERANCE)


def _gap(evidence: Evidence, row: int, output: Any) -> float:
    """How far one answer of the server is from the recorded one; infinite where they cannot be compared."""
    told = output if isinstance(output, dict) else {"prediction": output}
    label, scores = told.get("prediction"), told.get("scores")
    expected = evidence.candidate.labels[row : row + 1].tolist()[0]
    if evidence.task is Task.REGRESSION:
        if not isinstance(label, int | float) or not isinstance(expected, int | float):
            return math.inf
        gap = abs(label - expected) / max(1.0, abs(expected))
        return math.inf if math.isnan(gap) else gap
    recorded = evidence.candidate.scores
    if recorded is None or scores is None:
        return 0.0 if label == expected else math.inf
    if len(scores) != recorded.shape[1]:
        return math.inf
    gap = float(np.abs(np.asarray(scores, dtype=np.float64) - recorded[row]).max())
    if math.isnan(gap):
        return math.inf
    top = np.sort(recorded[row])
    is_tie = len(top) > 1 and top[-1] - top[-2] <= TOLERANCE
    return gap if label == expected or is_tie else math.inf


def _latency(answer: ProbeAnswer, settings: GateSettings) -> Result:
    if not answer.latency_ms:
        return Result(check=NAME, subject="latency", passed=None, reason="no latency was measured")
    p95 = float(np.quantile(answer.latency_ms, 0.95))
    if settings.max_latency is None:
        reason = f"95 % of answers within {p95:.3g} ms; gate.max_latency is not set"
        return Result(check=NAME, subject="latency_ms", passed=None, value=p95, reason=reason)
    limit = settings.max_latency.total_seconds() * 1000
    reason = f"95 % of answers within {p95:.3g} ms, allowed {limit:.3g} ms"
    return Result(check=NAME, subject="latency_ms", passed=p95 <= limit, value=p95, limit=limit, reason=reason)


CHECK = Check(name=NAME, run=run)
