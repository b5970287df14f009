"""How a judged candidate is shown: by `train`, `check` and `gate show`."""

from typing import TYPE_CHECKING, Any

from homeostat.cli.output import coloured, drawn, next_step, table

if TYPE_CHECKING:
    from homeostat.app.making import Made
    from homeostat.app.wiring import House
    from homeostat.core.records.registry import GateReport
    from homeostat.gate.suite import SuiteReport


def suite_of(report: "GateReport") -> "SuiteReport":
    from homeostat.gate.suite import SuiteReport

    return SuiteReport.from_json(report.body)


def as_json(made: "Made") -> dict[str, Any]:
    """Return everything about it as JSON-ready values."""
    return {
        "run_id": made.run.run_id,
        "data_version": made.data.version,
        "metrics": made.run.metrics,
        "passed": made.report.passed,
        "report_id": made.report.report_id,
        "report": made.report.body,
        "version": made.version.version if made.version else None,
    }


def as_text(made: "Made") -> str:
    """Return it in words: run, metrics, the gate's table, the version."""
    run, report = made.run, made.report
    verdict = "passed" if report.passed else "FAILED"
    parts = [
        f"run      {run.run_id}",
        f"data     version {made.data.version}, {made.data.rows:,} rows",
        *([f"cache    {run.facts['cache']['reason']}"] if run.facts.get("cache") else []),
        table(["metric", "value"], sorted(run.metrics.items())),
        "",
        drawn_report(report),
        "",
        f"gate     {coloured(verdict, verdict)} (report {report.report_id[:12]})",
    ]
    if made.version is not None:
        parts.append(f"version  {made.version.version} of {made.version.model}, registered; it gets no traffic yet")
    return "\n".join(parts)


def drawn_report(report: "GateReport") -> str:
    from homeostat.gate.report import as_table

    return drawn(as_table(suite_of(report)))


def say_next(house: "House", made: "Made") -> None:
    """Print the likely next command."""
    if made.version is None:
        next_step(f"homeostat gate show {made.report.report_id[:12]} --html gate.html")
        return
    next_step(f"homeostat models promote {made.version.version}   (then `homeostat up` serves {house.project.model})")
