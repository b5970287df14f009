"""A new model when ADWIN sees the error rise: a detector that people know, to compare with."""

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Task
from homeostat.retrain.policies.policy import Chosen, Labelled, Look, OneByOne, Policy
from homeostat.retrain.policy import Decision
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings
from homeostat.watch.adwin import Adwin

WORDS = "a new model when ADWIN sees the error rise, without a gate"


class OnAdwin(OneByOne):
    """Wrong labels count as 1; absolute errors of a regression in units of the range of the target that was known at the start."""

    def __init__(self, task: Task, target: str) -> None:
        self.task, self.target = task, target
        self.adwin, self.scale = Adwin(), 0.0

    def decide(self, look: Look) -> Decision:
        if not look.versions:
            return look.first()
        if not self.scale:
            self.scale = self._range(look)
        has_risen = [self.adwin.add(float(error)) for one in look.labelled for error in self._errors(one)]
        if any(has_risen):
            return look.retrain("adwin", f"ADWIN saw the error rise; it is {self.adwin.mean:.3g} now")
        return Decision(kind="nothing", because="ADWIN saw no rise of the error")

    def _range(self, look: Look) -> float:
        if self.task is not Task.REGRESSION:
            return 1.0
        known = look.known[self.target].drop_nulls().to_numpy()
        return float(np.ptp(known)) or 1.0

    def _errors(self, one: Labelled) -> npt.NDArray[np.float64]:
        if self.task is Task.REGRESSION:
            return np.asarray(np.abs(one.y - one.predictions.labels) / self.scale, dtype=np.float64)
        return np.asarray(one.y != one.predictions.labels, dtype=np.float64)


def made(settings: RetrainSettings, number: int | None, project: Project) -> Chosen:
    del settings, number
    rule = OnAdwin(project.task, project.data.target)
    return Chosen(rule=rule, settings=RetrainSettings(), description=WORDS, gate="none", work=0.1)


POLICY = Policy(name="adwin", words=WORDS, make=made)
