"""A new model after every so many steps: `every_5`."""

from homeostat.retrain.policies.policy import Chosen, Look, OneByOne, Policy
from homeostat.retrain.policy import Decision
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings


class Every(OneByOne):
    def __init__(self, steps: int) -> None:
        self.steps = steps

    def decide(self, look: Look) -> Decision:
        if not look.versions:
            return look.first()
        if look.step is not None and (look.step + 1) % self.steps == 0:
            return look.retrain("schedule", f"step {look.step + 1}: a new model after every {self.steps}")
        return Decision(kind="nothing", because=f"a new model comes after every {self.steps} steps")


def made(settings: RetrainSettings, number: int | None, project: Project) -> Chosen:
    del settings, project
    assert number is not None
    words = f"a new model after every {number} steps, without a gate"
    return Chosen(rule=Every(number), settings=RetrainSettings(), description=words, gate="none", work=1.0 / number)


POLICY = Policy(name="every", words="a new model after so many steps, without a gate", make=made, takes_number=True)
