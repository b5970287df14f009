"""Alert channels of a project: how they are, and a message that tries them."""

from dataclasses import dataclass
from datetime import datetime

from homeostat.app.channels import channel_of, send
from homeostat.app.webhooks import rules_here
from homeostat.app.wiring import House
from homeostat.core.errors import HomeostatError, InvalidInput, NotFound, near
from homeostat.core.ids import derived_id
from homeostat.watch.alerts import PREFIX, trial_message


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """`kind`: the address's scheme. `waiting`, `failed`: alerts that are still to be sent, and that will not be; `error`: of the newest that was not."""

    name: str
    kind: str
    waiting: int
    failed: int
    newest: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    name: str
    is_sent: bool
    because: str


def channel_states(house: House) -> list[ChannelState]:
    """Return each channel of the project with what became of its newest alerts."""
    found = []
    for name, text in house.project.alerts.items():
        with house.store.read() as tx:
            newest = tx.webhooks.deliveries(PREFIX + name)
        try:
            kind, wrong = channel_of(name, text).scheme, None
        except InvalidInput as error:
            kind, wrong = "unknown", error.message
        found.append(
            ChannelState(
                name=name,
                kind=kind,
                waiting=sum(one.state == "pending" for one in newest),
                failed=sum(one.state == "failed" for one in newest),
                newest=newest[0].created if newest else None,
                error=wrong or next((one.error for one in newest if one.error), None),
            )
        )
    return found


def try_channels(house: House, name: str | None = None) -> list[Tried]:
    """Send a test message to one channel, or to all, now and once, and return how that went; raise NotFound for a name that none has."""
    channels = house.project.alerts
    if name is not None and name not in channels:
        raise NotFound(
            f"no alert channel '{name}'",
            hint=near(name, channels) or "name channels in homeostat.yaml: alerts: {ops: https://...}",
        )
    if not channels:
        raise NotFound("homeostat.yaml names no alert channel", hint="alerts: {ops: $OPS_ALERTS}   (docs/watching.md)")
    now = house.clock.now()
    message = trial_message(now, house.project.model)
    found = []
    for each in channels if name is None else [name]:
        try:
            answer = send(
                channel_of(each, channels[each]),
                message,
                derived_id("alert-test", each, now.isoformat()),
                rules=rules_here(),
            )
            is_sent = 200 <= answer.status < 300
            because = "taken" if is_sent else f"answered {answer.status}"
        except HomeostatError as error:
            is_sent, because = False, f"{error.message} ({error.hint})" if error.hint else error.message
        found.append(Tried(name=each, is_sent=is_sent, because=because))
    return found
