"""homeostat incidents: windows that alarmed, as stories."""

from typing import Annotated

import typer

COMMAND = typer.Typer(help="Windows that alarmed for one kind of cause, as stories.", no_args_is_help=True)


@COMMAND.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    *,
    check: Annotated[bool, typer.Option("--check", help="Exit code 1 where one is open.")] = False,
) -> int:
    """Show incidents, newest first.

    Example: homeostat incidents list
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import show, table
    from homeostat.watch.incident import level

    house = here()
    with house.store.read() as tx:
        found = tx.incidents.recent(house.project.model, limit=limit)
    rows = [
        (
            one.incident_id[:12],
            one.kind,
            "open" if one.resolved is None else "over",
            level(one.severity),
            one.opened,
            one.windows,
            one.because,
        )
        for one in found
    ]
    heads = ["incident", "kind", "state", "severity", "opened (UTC)", "windows", "because"]
    show(
        found,
        table(heads, rows)
        if rows
        else "no incident yet: one opens when two of three windows alarm for the same kind of cause",
    )
    return 1 if check and any(one.resolved is None for one in found) else 0


@COMMAND.command("show")
def show_(
    incident: Annotated[str, typer.Argument(metavar="ID", help="An incident's id, or its first digits.")],
) -> None:
    """Show one incident, with its events.

    Example: homeostat incidents show 5f0c2a91d7be
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.cli.told import events_text
    from homeostat.watch.incident import level

    house = here()
    with house.store.read() as tx:
        found = tx.incidents.get(incident)
        events = [
            e for e in tx.audit.events(subject=f"model:{found.model}") if e.payload.get("incident") == found.incident_id
        ]
    lines = [
        f"incident  {found.incident_id}",
        f"kind      {found.kind}, severity {level(found.severity)} ({found.severity:.2f})",
        f"model     {found.model}, version {found.version}",
        f"opened    {found.opened:%Y-%m-%d %H:%M} UTC"
        + (f", over {found.resolved:%Y-%m-%d %H:%M}" if found.resolved else ", open"),
        f"columns   {', '.join(found.columns) or 'none'}",
        f"because   {found.because}",
    ]
    show({"incident": found, "events": events}, "\n".join(lines) + "\n\n" + events_text(events))
