"""No segment of the declared and protected columns is much worse than the whole, or than under the champion.

A segment fails when its gap is above `gate.slices.max_gap` even at the good end of its interval. The intervals hold together over all
segments (Bonferroni): of twenty segments of a good model, one would otherwise look bad by chance. Small segments are left out, and said.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from homeostat.core.errors import NotEnoughData, near
from homeostat.core.values import Json
from homeostat.gate import compare, segments
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import Evidence
from homeostat.gate.segments import Segment
from homeostat.gate.settings import GateSettings, SliceRule
from homeostat.gate.stats import Interval

NAME = "slices"
_CONFIDENCE = 0.95
_MOST_LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """How much worse a segment is: than the whole, and than the champion on the same rows."""

    segment: str
    rows: int
    value: float
    whole: Interval
    champion: Interval | None

    @property
    def worst(self) -> tuple[str, Interval]:
        if self.champion is not None and not self.champion.low <= self.whole.low:
            return "the champion there", self.champion
        return "the whole", self.whole


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    rule = settings.slices
    columns = list(dict.fromkeys([*rule.protected, *rule.columns]))
    if not columns:
        return [Result(check=NAME, passed=None, reason="gate.slices names no columns")]
    absent = [name for name in columns if name not in evidence.test.columns]
    found = {name: list(segments.segments(evidence.test[name])) for name in columns if name not in absent}
    judged = max(1, sum(s.size >= rule.min_rows for parts in found.values() for s in parts))
    comparisons = judged * (1 if evidence.champion is None else 2)
    confidence = 1 - (1 - _CONFIDENCE) / comparisons
    return [
        *(_absent(name, evidence.test) for name in absent),
        *(_column(evidence, name, parts, rule, confidence) for name, parts in found.items()),
    ]


def _absent(name: str, test: pl.DataFrame) -> Result:
    reason = f"the test rows have no column '{name}'; {near(name, test.columns)}"
    return Result(check=NAME, subject=name, passed=False, reason=reason)


def _column(evidence: Evidence, name: str, parts: list[Segment], rule: SliceRule, confidence: float) -> Result:
    models = [evidence.candidate] if evidence.champion is None else [evidence.candidate, evidence.champion]
    metric = compare.usable_metric(rule.metric, evidence.task, *models)
    whole = compare.loss(evidence.y, evidence.candidate, metric)
    gaps: list[_Gap] = []
    skipped: list[dict[str, object]] = []
    for part in parts:
        if part.size < max(2, rule.min_rows):
            skipped.append({"segment": part.name, "rows": part.size, "why": f"fewer than {rule.min_rows} rows"})
            continue
        try:
            gap = _gap(evidence, part, metric, whole, confidence)
        except NotEnoughData as error:
            skipped.append({"segment": part.name, "rows": part.size, "why": error.message})
            continue
        if np.isnan(gap.value) and np.isfinite(whole):
            skipped.append({"segment": part.name, "rows": part.size, "why": f"{metric} is not defined there"})
            continue
        gaps.append(gap)
    gaps.sort(key=lambda gap: -np.inf if np.isnan(gap.worst[1].low) else -gap.worst[1].low)
    return _judge(name, metric, gaps, skipped, rule)


def _gap(evidence: Evidence, part: Segment, metric: str, whole: float, confidence: float) -> _Gap:
    rng = evidence.rng(f"{NAME} {part.column} {part.name}")
    y, candidate = evidence.y[part.rows], evidence.candidate.take(part.rows)
    own = compare.loss_interval(y, candidate, metric, rng=rng, resamples=200)
    against = None
    if evidence.champion is not None:
        champion = evidence.champion.take(part.rows)
        against = compare.difference(y, candidate, champion, metric, rng=rng, resamples=200).at(confidence)
    return _Gap(
        segment=part.name,
        rows=part.size,
        value=compare.as_loss(metric, own.estimate),
        whole=own.at(confidence).minus(whole),
        champion=against,
    )


def _judge(name: str, metric: str, gaps: list[_Gap], skipped: list[dict[str, object]], rule: SliceRule) -> Result:
    kind = "protected" if name in rule.protected else "declared"
    left_out = f"; {len(skipped)} small segment{'s' * (len(skipped) > 1)} left out" if skipped else ""
    details: Json = {"metric": metric, "kind": kind, "segments": [_told(gap) for gap in gaps[:_MOST_LISTED]]}
    details |= {"skipped": skipped[:_MOST_LISTED], "judged": len(gaps), "left_out": len(skipped)}
    if not gaps:
        return Result(
            check=NAME,
            subject=name,
            passed=None,
            limit=rule.max_gap,
            reason=f"no segment to judge{left_out}",
            details=details,
        )
    bad = [gap for gap in gaps if not gap.worst[1].low <= rule.max_gap]
    than, interval = gaps[0].worst
    amount = f"by at least {interval.low:.3g}" if bad else f"by {interval.estimate:.3g}"
    worse = f"worse than {than} {amount}" if bad or interval.estimate > 0 else f"no worse than {than}"
    reason = f"worst segment '{gaps[0].segment}' ({gaps[0].rows} rows): {metric} {worse}, allowed {rule.max_gap:.3g}{left_out}"
    if len(bad) > 1:
        reason += f"; {len(bad)} of {len(gaps)} segments fail"
    return Result(
        check=NAME,
        subject=name,
        passed=not bad,
        value=interval.estimate,
        limit=rule.max_gap,
        interval=interval,
        reason=reason,
        details=details,
    )


def _told(gap: _Gap) -> dict[str, object]:
    told = {"segment": gap.segment, "rows": gap.rows, "value": gap.value}
    told |= {"gap": gap.whole.estimate, "gap_at_least": gap.whole.low}
    if gap.champion is not None:
        told |= {"worse_than_champion": gap.champion.estimate, "worse_than_champion_at_least": gap.champion.low}
    return told


CHECK = Check(name=NAME, run=run)
