"""homeostat alerts: the channels that hear of incidents."""

from typing import Annotated

import typer

COMMAND = typer.Typer(help="Channels that hear of incidents: mail, Slack, Teams, webhooks.", no_args_is_help=True)


@COMMAND.command("list")
def list_() -> None:
    """Show the channels, and what is still to be sent to each.

    Example: homeostat alerts list
    """
    from homeostat.app.alerting import channel_states
    from homeostat.cli.house import here
    from homeostat.cli.output import show, table

    found = channel_states(here())
    rows = [(one.name, one.kind, one.waiting, one.failed, one.newest, one.error) for one in found]
    heads = ["channel", "kind", "waiting", "failed", "newest (UTC)", "error"]
    show(
        found,
        table(heads, rows) if rows else "no channel yet: `alerts: {ops: $OPS_ALERTS}` in homeostat.yaml names one",
    )


@COMMAND.command("test")
def try_(
    channel: Annotated[str | None, typer.Argument(help="The channel's name; default: all.")] = None,
) -> int:
    """Send a test message, and say whether it was taken (exit code 1 where one was not).

    Example: homeostat alerts test ops
    """
    from homeostat.app.alerting import try_channels
    from homeostat.cli.house import here
    from homeostat.cli.output import show, table

    found = try_channels(here(), channel)
    show(
        found,
        table(
            ["channel", "sent", "because"], [(one.name, "yes" if one.is_sent else "no", one.because) for one in found]
        ),
    )
    return 0 if all(one.is_sent for one in found) else 1
