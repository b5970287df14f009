"""The candidate against the champion on the same rows, by paired bootstrap.

`not_worse`: the interval of the difference of losses lies below the margin (non-inferiority: too few rows to tell is a failure, and the
champion stays). `better`: it lies below minus the margin. Without a margin, `not_worse` allows 5 % of the champion's loss, which is also the
least that watching calls decay, and `better` asks for any gain at all.
"""

import math

from homeostat.gate import compare
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import ChampionRule, GateSettings
from homeostat.gate.stats import Interval

NAME = "beats_champion"
MARGIN_SHARE = 0.05


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    rule = settings.champion
    if rule.rule == "off":
        return [Result(check=NAME, passed=None, reason="gate.champion.rule is off")]
    if evidence.champion_failure is not None:
        reason = f"the champion cannot be compared with: {evidence.champion_failure}"
        return [Result(check=NAME, passed=False, reason=reason)]
    if evidence.champion is None:
        return [Result(check=NAME, passed=None, reason="there is no champion yet")]
    metric = compare.usable_metric(rule.metric, evidence.task, evidence.candidate, evidence.champion)
    interval = compare.difference(
        evidence.y,
        evidence.candidate,
        evidence.champion,
        metric,
        rng=evidence.rng(NAME),
        confidence=rule.sureness,
        resamples=rule.resamples,
    )
    old = compare.loss(evidence.y, evidence.champion, metric)
    return [_judge(interval, old, metric, rule)]


def _judge(interval: Interval, champion_loss: float, metric: str, rule: ChampionRule) -> Result:
    default = MARGIN_SHARE * max(champion_loss, 0.0) if rule.rule == "not_worse" else 0.0
    margin = default if rule.margin is None else rule.margin
    limit = margin if rule.rule == "not_worse" else -margin
    # A difference of exactly nothing is not worse, even where the margin is 0; it is not better either.
    passed = interval.high <= limit if rule.rule == "not_worse" else interval.high < limit
    values = {
        "metric": metric,
        "candidate": compare.as_loss(metric, champion_loss + interval.estimate),
        "champion": compare.as_loss(metric, champion_loss),
        "rule": rule.rule,
        "margin": margin,
    }
    return Result(
        check=NAME,
        subject=metric,
        passed=passed,
        value=interval.estimate,
        limit=limit,
        wanted="<=" if rule.rule == "not_worse" else "<",
        interval=interval,
        reason=_reason(interval, limit, rule, values),
        details=values,
    )


def _reason(interval: Interval, limit: float, rule: ChampionRule, values: dict[str, object]) -> str:
    told = f"{values['metric']} {values['candidate']:.4g} against the champion's {values['champion']:.4g}"
    if math.isnan(interval.estimate):
        return f"{told}: cannot be compared, one of them has no number"
    percent = f"{100 * rule.sureness:g} %"
    worst = f"at worst {abs(interval.high):.3g} {'more' if interval.high > 0 else 'less'} loss ({percent})"
    if rule.rule == "better":
        return f"{told}: {worst}, wanted a gain" + (f" of more than {-limit:.3g}" if limit else "")
    if interval.low > limit:
        return f"{told}: worse by more than the margin {limit:.3g}"
    if interval.high > limit:
        return (
            f"{told}: {worst}, allowed {limit:.3g}; too few test rows to rule a loss out, or a wider margin is wanted"
        )
    return f"{told}: {worst}, allowed {limit:.3g}"


CHECK = Check(name=NAME, run=run)
