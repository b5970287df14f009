"""The loop's own triggers, cool-down and gate, as the project sets them: what production does."""

from homeostat.retrain.policies.policy import Chosen, Look, OneByOne, Policy
from homeostat.retrain.policy import Decision, decide
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.triggers import firings


class OnTriggers(OneByOne):
    def __init__(self, settings: RetrainSettings) -> None:
        self.settings = settings

    def decide(self, look: Look) -> Decision:
        fired = firings(look.situation, self.settings.triggers)
        return decide(fired, situation=look.situation, running=None, policy=self.settings)


def made(settings: RetrainSettings, number: int | None, project: Project) -> Chosen:
    del number, project
    rule = OnTriggers(settings)
    return Chosen(rule=rule, settings=settings, description=described(settings), gate="judges", work=0.3)


def described(settings: RetrainSettings) -> str:
    """Return the policy in a few words."""
    triggers = settings.triggers
    on = [name for name in ("performance", "quality") if getattr(triggers, name)]
    on += [] if triggers.drift == "never" else ["drift" if triggers.drift == "always" else "drift without labels"]
    on += [f"schedule {triggers.schedule}"] if triggers.schedule else []
    on += [f"{triggers.new_rows:,} new rows"] if triggers.new_rows else []
    makes = "; a stack of past champions" if settings.policy == "stack" else ""
    return f"on {', '.join(on) or 'request only'}; cool-down {settings.cooldown}{makes}; through the gate"


POLICY = Policy(name="triggers", words="the loop's own triggers, as the project sets them", make=made)
