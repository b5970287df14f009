"""homeostat watch: what was seen in the windows of production."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from homeostat.core.records.watching import WindowVerdict

COMMAND = typer.Typer(help="Windows of production: performance, drift, data quality.", no_args_is_help=True)


@COMMAND.command("show")
def show_(
    *,
    last: Annotated[int, typer.Option(min=1, help="How many windows.")] = 10,
    check: Annotated[bool, typer.Option("--check", help="Exit code 1 where the newest window alarms.")] = False,
) -> int:
    """Show the newest windows with their numbers, and the newest one column by column.

    Example: homeostat watch show --check
    """
    from homeostat.cli.output import show
    from homeostat.cli.told import windows_text

    found = _judged(last)
    show(found, windows_text(found))
    return 1 if check and found and found[-1].state == "alarm" else 0


@COMMAND.command()
def groups(
    *,
    last: Annotated[int, typer.Option(min=1, help="How many windows.")] = 20,
) -> None:
    """Show over time how slices do and how differently groups of people fare (watch.groups).

    Example: homeostat watch groups --last 20
    """
    from homeostat.cli.output import show
    from homeostat.cli.told import groups_over_time

    found = _judged(last)
    told = [
        {"start": one.window_start, "end": one.window_end}
        | {name: one.body["verdict"].get(name, []) for name in ("slices", "found_slices", "fairness")}
        for one in found
    ]
    show(told, groups_over_time(found))


@COMMAND.command()
def calibration(
    *,
    last: Annotated[int, typer.Option(min=1, help="How many windows.")] = 30,
) -> None:
    """Show how often what the model promised came true, window by window and in all of them together.

    Example: homeostat watch calibration --last 30
    """
    from homeostat.cli.calibrated import calibration_text
    from homeostat.cli.output import show
    from homeostat.watch.answered import answered_together, answers_of, told

    found = _judged(last)
    whole = answered_together(found)
    windows = [{"start": one.window_start, "end": one.window_end} | told(answers_of(one)) for one in found]
    show({"windows": windows, "together": whole}, calibration_text(windows, whole))


@COMMAND.command()
def acknowledge(
    *,
    reason: Annotated[str, typer.Option(help="What changed, as the audit log shall keep it.")],
    since: Annotated[
        str | None, typer.Option(help="Windows that start from then on count (ISO 8601); default: now.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who; default: you.")] = None,
) -> None:
    """Say that a change is known: control limits are learned anew, and open incidents are over.

    Example: homeostat watch acknowledge --reason 'new price list' --since 2026-03-01
    """
    from homeostat.cli.house import here
    from homeostat.cli.output import show
    from homeostat.core.errors import InvalidInput
    from homeostat.serve.validate import instant
    from homeostat.watch.acknowledging import acknowledge as note

    house = here()
    now = house.clock.now()
    try:
        start = now if since is None else instant(since)
    except ValueError as error:
        raise InvalidInput(f"'{since}' is no time", hint="write it as 2026-03-01 or 2026-03-01T12:00:00Z") from error
    model = house.project.model
    ended = note(store=house.store, model=model, actor=by or house.actor, now=now, since=start, reason=reason)
    told = f"limits of {model} are learned anew from windows that start at {start:%Y-%m-%d %H:%M} UTC; incidents ended: {ended}"
    show({"model": model, "since": start, "incidents_ended": ended}, told)


def _judged(last: int) -> "list[WindowVerdict]":
    """Return the newest windows of the project's model, oldest first."""
    from homeostat.cli.house import here

    house = here()
    with house.store.read() as tx:
        return tx.watch.verdicts(house.project.model, limit=last)
