"""homeostat gc: free what was deleted."""

from typing import Annotated

import typer


def COMMAND(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    older_than: Annotated[str, typer.Option(help="Only what was deleted at least so long ago: 12h, 30d.")] = "0s",
    database: Annotated[
        str | None, typer.Option(help="A database's URL; default: the project's, else .homeostat.")
    ] = None,
    artifacts: Annotated[
        str | None, typer.Option(help="Where files are; default: the project's, else .homeostat/blobs.")
    ] = None,
) -> None:
    """Free what was deleted, for good: runs, logged models, experiments with their traces, files that nothing names, broken uploads.

    Example: homeostat gc --older-than 30d --dry-run
    """
    from homeostat.app.gc import collect
    from homeostat.cli.output import next_step, show
    from homeostat.cli.stores import open_here
    from homeostat.core.duration import Duration

    age = Duration.parse(older_than)
    here = open_here(database=database, artifacts=artifacts)
    freed = collect(
        store=here.store, blobs=here.blobs, actor=here.actor, now=here.clock.now(), older_than=age, dry_run=dry_run
    )
    word = "would go" if dry_run else "gone"
    counts = f"{len(freed.runs)} runs, {len(freed.logged_models)} logged models, {len(freed.experiments)} experiments"
    lines = [
        f"{word}: {counts} with {freed.traces} traces",
        f"{word}: {freed.files} files, {freed.size_bytes:,} bytes, in {len(freed.blobs)} folders",
        *(f"{word}: unfinished upload {line}" for line in freed.unfinished),
        *(f"kept: {line}" for line in freed.kept),
    ]
    data = {name: getattr(freed, name) for name in freed.__dataclass_fields__} | {"dry_run": dry_run}
    show(data, "\n".join(lines))
    if dry_run and (freed.blobs or freed.unfinished or freed.runs or freed.experiments or freed.logged_models):
        next_step(f"homeostat gc --older-than {older_than}")
