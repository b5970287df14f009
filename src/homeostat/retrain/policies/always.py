"""A new model after every step: what much work can gain, and what it costs."""

from homeostat.retrain.policies.policy import Chosen, Look, OneByOne, Policy
from homeostat.retrain.policy import Decision
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings

WORDS = "a new model after every step, without a gate"


class Always(OneByOne):
    def decide(self, look: Look) -> Decision:
        return look.retrain("schedule", "always retrain") if look.versions else look.first()


def made(settings: RetrainSettings, number: int | None, project: Project) -> Chosen:
    del settings, number, project
    return Chosen(rule=Always(), settings=RetrainSettings(), description=WORDS, gate="none", work=1.0)


POLICY = Policy(name="always", words=WORDS, make=made)
