"""Records in words, for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from homeostat.cli.output import coloured, next_step, say, table
from homeostat.core.records.cycles import Cycle
from homeostat.core.records.events import Event
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.tracking import Run
from homeostat.core.records.watching import WindowVerdict
from homeostat.core.states import SHAPES

if TYPE_CHECKING:
    from homeostat.app.promoting import Moved
    from homeostat.app.route_rules import Ruled
    from homeostat.app.wiring import House

_LAST_LINES = 15


def run_text(run: Run, log: str, *, whole_log: bool) -> str:
    """Return a run: what came out, what went in, and the end of its output where it failed."""
    facts = run.facts
    code, environment = facts.get("code", {}), facts.get("environment", {})
    took = f", {(run.ended - run.started).total_seconds():.1f} s" if run.ended else ""
    pairs: list[tuple[str, Any]] = [
        ("run", run.run_id),
        ("status", f"{run.status}, started {run.started:%Y-%m-%d %H:%M:%S} UTC by {run.user}{took}"),
        ("why", run.tags.get("failure")),
        ("data", f"{facts.get('dataset')} version {facts.get('dataset_version')}, {facts.get('split')}"),
        ("code", f"commit {code.get('commit')}" if code.get("commit") else "not in a git repository"),
        ("environment", f"Python {environment.get('python')}, packages {str(environment.get('digest'))[:12]}"),
        ("seed", facts.get("seed")),
        ("refit of", facts.get("refit_of") and f"run {facts['refit_of']}: its test rows were learned from too"),
        ("cache", (facts.get("cache") or {}).get("reason")),
    ]
    parts = ["\n".join(f"{name:<12} {value}" for name, value in pairs if value is not None)]
    if run.metrics:
        parts.append(table(["metric", "value"], sorted(run.metrics.items())))
    if run.params:
        parts.append(table(["parameter", "value"], sorted(run.params.items())))
    lines = log.rstrip().splitlines()
    if lines and (whole_log or run.status == "FAILED"):
        shown = lines if whole_log else lines[-_LAST_LINES:]
        parts.append("\n".join([f"output ({len(shown)} of {len(lines)} lines):", *(f"  {line}" for line in shown)]))
    return "\n\n".join(parts)


def version_text(version: ModelVersion, evaluated: str | None = None, environment: str | None = None) -> str:
    """Return a version: what it takes, what it answers, where it comes from."""
    signature, lineage = version.signature, version.lineage
    classes = ", ".join(map(str, signature.get("classes", [])))
    columns = [
        (c["name"], c["kind"], "may be missing" if c.get("nullable") else "") for c in signature.get("columns", [])
    ]
    head = [
        f"{version.model} version {version.version}, registered {version.created:%Y-%m-%d %H:%M} UTC, health {version.health}",
        f"answers  {signature.get('target')} ({signature.get('task')}{': ' + classes if classes else ''})",
        f"run      {version.run_id}",
        f"data     {lineage.get('dataset')} version {lineage.get('dataset_version')}",
        f"gate     report {version.report_id[:12] if version.report_id else 'none'}",
        f"files    {len(version.digests)} in {version.location}",
        *([] if evaluated is None else [f"served   {evaluated}"]),
        *([] if environment is None else [f"packages {environment}"]),
    ]
    return "\n".join([*head, "", table(["takes", "kind", ""], columns)])


def moved_text(moved: "Moved") -> str:
    """Return who answers now, and who answered before."""
    was = "" if moved.before in (None, moved.champion) else f", in place of version {moved.before}"
    switched = f"{len(moved.workers)} worker{'s have' if len(moved.workers) > 1 else ' has'} switched"
    return f"version {moved.champion} of {moved.model} is champion{was}" + (f"; {switched}" if moved.workers else "")


def say_serving(house: "House", moved: "Moved") -> None:
    """Say how to ask the champion."""
    if not moved.workers:
        say("no server is up; the next one starts with it")
        next_step("homeostat up")
        return
    serve = house.project.serve
    next_step(f"curl -d '{{\"rows\": [...]}}' http://{serve.host}:{serve.port}/models/{moved.model}/predict")


def cycle_text(cycle: Cycle) -> str:
    """Return why a cycle runs, where it is, and how it ended."""
    lines = [
        f"cycle    {cycle.cycle_id}",
        f"state    {cycle.state.replace('_', ' ')} (at '{cycle.stage}')",
        f"trigger  {cycle.trigger}: {cycle.because}",
        f"started  {cycle.started:%Y-%m-%d %H:%M:%S} UTC" + (f", ended {cycle.ended:%H:%M:%S}" if cycle.ended else ""),
    ]
    if cycle.run_id:
        lines.append(f"run      {cycle.run_id[:12]}")
    if cycle.version:
        lines.append(f"version  {cycle.version}")
    if cycle.outcome.get("because"):
        lines.append(f"outcome  {cycle.outcome['because']}")
    return "\n".join(lines)


def events_text(events: Sequence[Event]) -> str:
    """Return events as a table."""
    rows = [(e.time, e.kind, e.actor, e.payload.get("because") or e.payload.get("reason")) for e in events]
    return table(["time (UTC)", "event", "actor", "because"], rows)


def windows_text(found: Sequence[WindowVerdict]) -> str:
    """Return windows as a table, oldest first, then the newest one with its causes and every column that was measured."""
    if not found:
        return "no window was judged yet: one is judged when it is over and requests have come"
    rows = []
    for one in found:
        verdict = one.body["verdict"]
        performance = verdict.get("performance") or {}
        effect = (verdict.get("decay") or {}).get("effect")
        rows.append(
            (one.window_start, one.window_end, f"{SHAPES[one.state]} {one.state}", one.body["version"], one.body["rows"],
             one.body["labelled"], performance.get("metric"), performance.get("value"), effect)
        )  # fmt: skip
    heads = ["from (UTC)", "to", "state", "version", "rows", "labelled", "metric", "value", "worse by"]
    newest = found[-1]
    verdict = newest.body["verdict"]
    parts = [table(heads, rows), f"newest: {coloured(newest.state, newest.state)}. {verdict['summary']}"]
    parts += [f"- {cause['kind']}: {cause['because']}" for cause in verdict.get("causes", [])]
    if estimates := verdict.get("estimates"):
        parts.append(_estimates_text(estimates))
    if joint := verdict.get("joint"):
        together = [
            (d["method"], d["effect"], d["alarm"], d["p_value"], d["state"], ", ".join(d["columns"])) for d in joint
        ]
        parts.append(table(["all columns", "effect", "alarms at", "p", "state", "most by"], together))
    parts += groups_text(verdict)
    if why := verdict.get("attribution"):
        parts.append(_why_text(why))
    measured = [*verdict.get("predictions", []), *verdict.get("columns", [])]
    if measured:
        lines = [
            (d["column"], d["method"], d["effect"], d["alarm"], d.get("adjusted"), d["rows"], d["state"])
            for d in measured
        ]
        parts.append(table(["column", "method", "effect", "alarms at", "p (adjusted)", "rows", "state"], lines))
    return "\n".join(parts)


def _why_text(why: dict[str, Any]) -> str:
    """Return what made the loss change, the greatest first."""
    rows = [
        (
            one["cause"],
            one["value"],
            one["low"],
            one["high"],
            None if one["share"] is None else f"{one['share']:.0%}",
            ", ".join(one["columns"]),
        )
        for one in why["causes"]
    ]
    weak = "" if why["is_sound"] else " (unsound: the rows overlap too little with the held-out ones)"
    head = f"the loss went from {why['before']:.4g} to {why['after']:.4g}, because of{weak}:"
    return head + "\n" + table(["cause", "change", "low", "high", "share", "columns"], rows)


def groups_text(verdict: dict[str, Any]) -> list[str]:
    """Return the metric by slices, and how groups of people fare, as tables."""
    parts = []
    slices = [(one, "declared") for one in verdict.get("slices", [])] + [
        (one, "found") for one in verdict.get("found_slices", [])
    ]
    if slices:
        rows = [
            (", ".join(f"{column}={group}" for column, group in one["when"].items()), why, one["rows"], one["value"], one["low"],
             one["high"], one["was"], "yes" if one["is_worse"] else "")
            for one, why in slices
        ]  # fmt: skip
        parts.append(table(["slice", "", "rows", "metric", "low", "high", "at training", "worse"], rows))
    gaps = [
        (
            one["column"],
            gap["measure"].replace("_", " "),
            gap["value"],
            gap["low"],
            gap["high"],
            gap["p_value"],
            gap["highest"],
            gap["lowest"],
        )
        for one in verdict.get("fairness", [])
        for gap in one["gaps"]
    ]
    if gaps:
        parts.append(
            table(["between groups of", "difference of", "value", "low", "high", "p", "highest", "lowest"], gaps)
        )
    return parts


def groups_over_time(found: Sequence[WindowVerdict]) -> str:
    """Return slices and gaps between groups window by window, what belongs together one below the other."""
    rows: list[tuple[Any, ...]] = []
    for one in found:
        verdict = one.body["verdict"]
        metric = (verdict.get("performance") or {}).get("metric")
        for part in verdict.get("slices", []):
            name = ", ".join(f"{column}={group}" for column, group in part["when"].items())
            rows.append((name, metric, one.window_start, part["value"], part["low"], part["high"], part["was"]))
        for part in verdict.get("fairness", []):
            rows += [
                (f"{part['column']}: {gap['highest']} - {gap['lowest']}", gap["measure"].replace("_", " "), one.window_start,
                 gap["value"], gap["low"], gap["high"], None)
                for gap in part["gaps"]
            ]  # fmt: skip
    if not rows:
        return "no groups were measured yet: `watch.groups.slices` and `.protected` in homeostat.yaml name columns"
    heads = ["slice or groups", "metric", "from (UTC)", "value", "low", "high", "at training"]
    return table(heads, sorted(rows, key=lambda row: (str(row[0]).partition(":")[0], str(row[1]), str(row[2]))))


def _estimates_text(estimates: Sequence[dict[str, Any]]) -> str:
    """Return what was estimated without labels, how far that may be trusted, and how well it did before."""
    rows = []
    for one in estimates:
        track = one.get("track") or {}
        rows.append(
            (one["method"], one["metric"], one["value"], one["was"], one.get("realised"), one["light"],
             "yes" if one["is_used"] else "no", track.get("windows"), track.get("error"), track.get("constant_error"))
        )  # fmt: skip
    heads = [
        "estimate",
        "metric",
        "value",
        "at training",
        "realised",
        "light",
        "used",
        "scored",
        "missed by",
        "no change",
    ]
    return table(heads, rows) + "\n" + "\n".join(f"- {one['method']}: {one['because']}" for one in estimates)


def rules_text(ruled: "Ruled") -> str:
    """Return who answers what, in the order in which the rules are asked."""
    route = ruled.route
    parts = [
        f"{', '.join(f'{name}={value}' for name, value in segment.when.items())}: version {segment.version}"
        for segment in route.segments
    ]
    if route.split is not None:
        parts += [f"{share:.4g} % of the keys: version {version}" for version, share in route.split.shares.items()]
        if route.split.policy == "thompson":
            parts.append(f"shares follow the rewards, none below {route.split.floor:g} %")
    else:
        parts.append(f"{'all else' if parts else 'everything'}: version {route.champion}, the champion")
    switched = f"{len(ruled.workers)} worker{'s have' if len(ruled.workers) > 1 else ' has'} switched"
    return "\n".join([*parts, *([switched] if ruled.workers else [])])
