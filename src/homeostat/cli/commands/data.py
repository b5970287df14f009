"""homeostat data: versions of the data, what is expected of them, and what was set aside."""

from typing import Annotated

import typer

COMMAND = typer.Typer(help="The data that a model learns from: versions, contract, quarantine.", no_args_is_help=True)
_QUARANTINE = typer.Typer(help="Batches that broke the contract: whole, until a person decides.", no_args_is_help=True)
COMMAND.add_typer(_QUARANTINE, name="quarantine")

_By = Annotated[str, typer.Option("--by", help="Who answers for it.")]
_Reason = Annotated[str, typer.Option(help="Why; it is kept in the audit log.")]


@COMMAND.command()
def commit(
    source: Annotated[str | None, typer.Argument(help="What to add; default: the project's source.")] = None,
    *,
    query: Annotated[str | None, typer.Option(help="What to ask a database for.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who adds it; default: you.")] = None,
) -> None:
    """Add a batch as a new version; one that breaks the contract is set aside whole (exit code 1).

    Example: homeostat data commit may.csv
    """
    from homeostat.app.datasets import add
    from homeostat.cli.house import here
    from homeostat.cli.output import busy, next_step, show

    house = here()
    with busy("reading and checking"):
        version, is_new = add(house, source=source, query=query, actor=by)
    told = f"{version.dataset} version {version.version}: {version.rows:,} rows"
    show(
        {"version": version.version, "rows": version.rows, "added": version.added, "is_new": is_new},
        f"{told}, {version.added:,} of them new"
        if is_new
        else f"these very rows are {told} already; nothing was added",
    )
    next_step("homeostat train")


@COMMAND.command("list")
def list_() -> None:
    """Show the versions, oldest first.

    Example: homeostat data list
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show, table

    house = here()
    with house.store.read() as tx:
        found = tx.datasets.versions(house.project.model)
    rows = [(v.version, v.created, v.rows, v.added, v.source) for v in found]
    show(
        [
            {"version": v.version, "created": v.created, "rows": v.rows, "added": v.added, "source": v.source}
            for v in found
        ],
        table(["version", "created (UTC)", "rows", "added", "source"], rows) if rows else "no version yet",
    )
    if not rows:
        next_step("homeostat data commit")


@COMMAND.command("show")
def show_(version: Annotated[int | None, typer.Argument(help="Default: the newest.")] = None) -> None:
    """Show the profile of a version: what each column holds.

    Example: homeostat data show 2
    """
    from homeostat.app.datasets import profile_rows, version_of
    from homeostat.cli.house import here
    from homeostat.cli.output import show, table

    found = version_of(here(), version)
    head = f"{found.dataset} version {found.version}: {found.rows:,} rows from {found.source}, {found.created:%Y-%m-%d %H:%M} UTC"
    lines = table(
        ["column", "kind", "missing", "distinct", "least | most frequent", "middle | next", "most | next"],
        profile_rows(found),
    )
    show(found, f"{head}\n{lines}")


@COMMAND.command()
def diff(
    before: Annotated[int, typer.Argument(help="The earlier version.")],
    after: Annotated[int, typer.Argument(help="The later version.")],
) -> None:
    """Show what changed between two versions: columns, rows, and how values are distributed.

    Example: homeostat data diff 1 2
    """
    from homeostat.app.datasets import version_of
    from homeostat.cli.house import here
    from homeostat.cli.output import show, table
    from homeostat.data.diff import diff as compare

    house = here()
    found = compare(version_of(house, before), version_of(house, after))
    lines = [f"rows: {found.rows_before:,} -> {found.rows_after:,}"]
    lines += [f"added column: {name}" for name in found.added] + [f"removed column: {name}" for name in found.removed]
    lines += [f"'{name}' was {old}, is {new}" for name, (old, new) in found.changed.items()]
    rows = [
        (one.column, one.kind, f"{one.nulls_before:.1%}", f"{one.nulls_after:.1%}", one.mean_shift, one.distance)
        for one in found.columns
    ]
    lines.append(table(["column", "kind", "missing before", "after", "mean shift (sd)", "distance"], rows))
    show(found, "\n".join(lines))


@COMMAND.command()
def contract() -> None:
    """Show what every batch must satisfy, with the project's own rules in it; ready to paste under `data.contract`.

    Example: homeostat data contract
    """
    from homeostat.app import yaml_text
    from homeostat.app.datasets import contract_of
    from homeostat.cli.house import here
    from homeostat.cli.output import show

    found = contract_of(here())
    show(found, yaml_text.write({"contract": found}).rstrip())


@_QUARANTINE.command("list")
def quarantine_list() -> None:
    """Show the batches, newest last, with what they broke.

    Example: homeostat data quarantine list
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import show, table

    house = here()
    with house.store.read() as tx:
        found = tx.datasets.quarantined(house.project.model)
    rows = [(b.batch_id, b.created, b.rows, b.state, b.resolved_by, b.source) for b in found]
    show(
        found,
        table(["batch", "set aside (UTC)", "rows", "state", "by", "source"], rows) if rows else "nothing was set aside",
    )


@_QUARANTINE.command("show")
def quarantine_show(batch: Annotated[str, typer.Argument(help="The batch's id.")]) -> None:
    """Show which rules a batch broke: column, rule, how many rows, and the first of them.

    Example: homeostat data quarantine show 95915e7cb634
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show, table

    with here().store.read() as tx:
        found = tx.datasets.quarantined_batch(batch)
    rows = [
        (v["column"] or "(batch)", v["rule"], v["count"], ", ".join(map(str, v["rows"])), v["message"])
        for v in found.report["violations"]
    ]
    head = f"batch {found.batch_id}: {found.rows:,} rows of {found.source}, {found.state}"
    if found.resolved_by:
        head += f" by {found.resolved_by}: {found.reason}"
    show(found, f"{head}\n{table(['column', 'rule', 'rows', 'first of them', 'what'], rows)}")
    if found.state == "held":
        next_step(f"homeostat data quarantine release {found.batch_id} --by NAME --reason WHY   (or: discard)")


@_QUARANTINE.command()
def release(batch: Annotated[str, typer.Argument(help="The batch's id.")], *, by: _By, reason: _Reason) -> None:
    """Commit a batch although it broke the contract.

    Example: homeostat data quarantine release 95915e7cb634 --by ann --reason 'checked by hand'
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.data.versions import release as release_batch

    h = here()
    version = release_batch(
        batch, by=by, reason=reason, store=h.store, tables=h.tables, blobs=h.blobs, now=h.clock.now()
    )
    show(
        {"version": version.version, "rows": version.rows},
        f"batch {batch} is in {version.dataset} version {version.version} now ({version.added:,} rows), released by {by}",
    )


@_QUARANTINE.command()
def discard(batch: Annotated[str, typer.Argument(help="The batch's id.")], *, by: _By, reason: _Reason) -> None:
    """Mark a batch as not wanted; its rows are kept aside.

    Example: homeostat data quarantine discard 95915e7cb634 --by ann --reason 'another unit'
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.data.versions import discard as discard_batch

    h = here()
    found = discard_batch(batch, by=by, reason=reason, store=h.store, now=h.clock.now())
    show(found, f"batch {batch} is discarded by {by}; its {found.rows:,} rows stay aside")
