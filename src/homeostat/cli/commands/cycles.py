"""homeostat cycles: turns of the loop."""

from typing import Annotated

import typer

COMMAND = typer.Typer(help="Turns of the loop: from a trigger to a promotion, or not.", no_args_is_help=True)

_Id = Annotated[str, typer.Argument(metavar="ID", help="A cycle's id, or its first digits.")]
_By = Annotated[str, typer.Option("--by", help="Who answers for it.")]


@COMMAND.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20) -> None:
    """Show cycles, newest first.

    Example: homeostat cycles list
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show, table

    house = here()
    with house.store.read() as tx:
        found = tx.cycles.recent(house.project.model, limit=limit)
    rows = [
        (c.cycle_id[:12], c.started, c.trigger, c.state, c.stage, c.version, c.outcome.get("because") or c.because)
        for c in found
    ]
    show(
        found,
        table(["cycle", "started (UTC)", "trigger", "state", "stage", "version", "because"], rows)
        if rows
        else "no cycle yet",
    )
    if not rows:
        next_step("homeostat retrain")


@COMMAND.command("show")
def show_(cycle: _Id) -> None:
    """Show one cycle: why it ran, where it is, how it ended, and its events.

    Example: homeostat cycles show 89a23c59bb3c
    """
    from homeostat.app.cycles import events_of
    from homeostat.cli.house import here
    from homeostat.cli.output import next_step, show
    from homeostat.cli.told import cycle_text, events_text

    found, events = events_of(here(), cycle)
    show({"cycle": found, "events": events}, f"{cycle_text(found)}\n\n{events_text(events)}")
    if found.stage == "approval":
        next_step(f"homeostat cycles approve {found.cycle_id[:12]} --by NAME   (or: refuse)")


@COMMAND.command()
def approve(cycle: _Id, *, by: _By, reason: Annotated[str, typer.Option(help="Why.")] = "no reason given") -> None:
    """Let the version of a waiting cycle meet traffic.

    Example: homeostat cycles approve 89a23c59bb3c --by ann --reason 'looks right'
    """
    _decide(cycle, approved=True, by=by, reason=reason)


@COMMAND.command()
def refuse(cycle: _Id, *, by: _By, reason: Annotated[str, typer.Option(help="Why.")]) -> None:
    """Keep the version of a waiting cycle out of traffic.

    Example: homeostat cycles refuse 89a23c59bb3c --by ann --reason 'sale week'
    """
    _decide(cycle, approved=False, by=by, reason=reason)


@COMMAND.command()
def cancel(
    cycle: _Id,
    *,
    reason: Annotated[str, typer.Option(help="Why.")],
    by: Annotated[str | None, typer.Option("--by", help="Who; default: you.")] = None,
) -> None:
    """Stop a running cycle; its version is taken out of traffic.

    Example: homeostat cycles cancel 89a23c59bb3c --reason 'not now'
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import say, show
    from homeostat.retrain.requests import cancel as call_off

    h = here()
    found = call_off(store=h.store, cycle_id=cycle, actor=by or h.actor, now=h.clock.now(), reason=reason)
    show(found, f"cycle {found.cycle_id[:12]} is asked to stop (it is at '{found.stage}')")
    say("a running server ends it at its next look")


def _decide(cycle: str, *, approved: bool, by: str, reason: str) -> None:
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.retrain.requests import approve as decide

    h = here()
    event = decide(store=h.store, cycle_id=cycle, approved=approved, actor=by, now=h.clock.now(), reason=reason)
    word = event.kind.partition(".")[2]
    told = f"{event.subject.partition(':')[2][:12]} is {word} by {event.actor}"
    mine = event.actor == by and (word == "approved") == approved
    show(event, f"cycle {told}" if mine else f"cycle {told} already; the first word counts")
