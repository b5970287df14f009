"""homeostat audit: what happened, who did it, and proof that nobody changed the story."""

from typing import Annotated

import typer

COMMAND = typer.Typer(help="The log of every change of state.", no_args_is_help=True)


@COMMAND.command("list")
def list_(
    kind: Annotated[str | None, typer.Option(help="Only events of this kind, as in alias.moved.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only events about this, as in model:churn.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest last.")] = 50,
) -> None:
    """Show events, oldest first.

    Example: homeostat audit list --kind gate. --limit 20
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import show, table

    with here().store.read() as tx:
        events = tx.audit.events(kinds=[kind] if kind else [], subject=subject)[-limit:]
    rows = [(e.seq, e.time, e.actor, e.kind, e.subject, _brief(e.payload)) for e in events]
    show(events, table(["seq", "time (UTC)", "actor", "kind", "subject", "details"], rows))


@COMMAND.command()
def verify() -> None:
    """Check the whole chain; exit code 1 and the first bad entry where it is broken.

    Example: homeostat audit verify
    """
    from homeostat.audit.log import verify as check
    from homeostat.cli.house import here
    from homeostat.cli.output import show

    count = check(here().store)
    show({"entries": count, "intact": True}, f"the audit log is intact: {count} entries")


def _brief(payload: dict[str, object]) -> str:
    told = ", ".join(f"{key}={value}" for key, value in payload.items() if isinstance(value, str | int | float | bool))
    return told if len(told) <= 90 else told[:87] + "..."
