"""The model card: what a version is, where it comes from and how it was judged, for people (Mitchell et al., "Model cards", 2019)."""

from homeostat.core.ports.store import Transaction
from homeostat.core.records.registry import ModelVersion


def card(tx: Transaction, version: ModelVersion) -> str:
    """Return the card as Markdown."""
    run = tx.runs.find(version.run_id)
    # a refit has no test rows of its own: what is known of its quality is what the model it comes from did on them
    tested = tx.runs.find(run.facts["refit_of"]) if run is not None and run.facts.get("refit_of") else run
    aliases = [alias for alias, number in tx.models.aliases(version.model).items() if number == version.version]
    lines = [
        f"# {version.model}, version {version.version}" + (f" ({', '.join(aliases)})" if aliases else ""),
        "",
        version.description or f"Predicts `{version.signature.get('target')}` ({version.signature.get('task')}).",
        "",
        f"- registered: {version.created:%Y-%m-%d %H:%M} UTC, health: {version.health}",
        f"- run: `{version.run_id}`",
        f"- data: {version.lineage.get('dataset')} version {version.lineage.get('dataset_version')}",
        f"- code: {(version.lineage.get('code') or {}).get('commit') or 'not in a git repository'}",
        f"- files: {len(version.digests)}, verified by SHA-256",
    ]
    if tested is not None and tested.metrics:
        lines += ["", "## Metrics", ""]
        if tested is not run:
            lines += [f"Of run `{tested.run_id}`, before it was trained again on all rows.", ""]
        lines += ["| metric | value |", "|---|--:|"]
        lines += [f"| {name} | {value:.6g} |" for name, value in sorted(tested.metrics.items())]
    if version.report_id is not None:
        report = tx.models.report(version.report_id)
        lines += ["", f"## Gate: {'passed' if report.passed else 'FAILED'} ({report.report_id})", ""]
        for result in report.body.get("results", []):
            word = {True: "passed", False: "FAILED", None: "not applicable"}[result.get("passed")]
            name = ": ".join(part for part in (result.get("check"), result.get("subject")) if part)
            lines.append(f"- {name}: {word}. {result.get('reason', '')}")
    return "\n".join(lines) + "\n"
