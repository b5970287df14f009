"""The first model answers for ever: the floor that every policy is held against."""

from homeostat.retrain.policies.policy import Chosen, Look, OneByOne, Policy
from homeostat.retrain.policy import Decision
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings

WORDS = "the first model for ever"


class Never(OneByOne):
    def decide(self, look: Look) -> Decision:
        return Decision(kind="nothing", because="never retrain") if look.versions else look.first()


def made(settings: RetrainSettings, number: int | None, project: Project) -> Chosen:
    del settings, number, project
    return Chosen(rule=Never(), settings=RetrainSettings(), description=WORDS, gate="measures", work=0.0)


POLICY = Policy(name="never", words=WORDS, make=made, also=("static",))
