"""The whole policy of a project, as data: what homeostat.yaml decodes to."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from homeostat.core.columns import Task
from homeostat.data.settings import DataSettings
from homeostat.gate.settings import GateSettings
from homeostat.retrain.settings import RetrainSettings, Rollout
from homeostat.serve.settings import RecordSettings, ServeSettings
from homeostat.track.usual import primary
from homeostat.train.settings import TrainSettings
from homeostat.watch.settings import WatchSettings

Name = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,99}$", description="letters, digits, - and _")]


class Project(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model and everything that keeps it good. `train` may be just `module:function`.

    `alerts`: channels that hear of incidents, by name; an address, or `$NAME` of an environment variable that holds it.
    """

    version: Literal[1] = 1
    model: Name
    task: Task
    data: DataSettings
    train: TrainSettings | str = msgspec.field(default_factory=TrainSettings)
    gate: GateSettings = msgspec.field(default_factory=GateSettings)
    serve: ServeSettings = msgspec.field(default_factory=ServeSettings)
    record: RecordSettings = msgspec.field(default_factory=RecordSettings)
    watch: WatchSettings = msgspec.field(default_factory=WatchSettings)
    retrain: RetrainSettings = msgspec.field(default_factory=RetrainSettings)
    alerts: dict[Name, str] = {}

    @property
    def key_column(self) -> str | None:
        """The column whose value is a request's key: `serve.key`, else the only one of `data.key`."""
        return self.serve.key or (self.data.key[0] if len(self.data.key) == 1 else None)

    def tolerant(self, rollout: Rollout) -> Rollout:
        """Return the rollout with the margin that the gate allows, where it has none of its own and both measure the same loss."""
        rule = self.gate.champion
        if rollout.margin is not None or rule.rule == "off" or rule.metric not in (None, primary(self.task)):
            return rollout
        return msgspec.structs.replace(rollout, margin=0.0 if rule.rule == "better" else rule.margin)

    @property
    def group_columns(self) -> tuple[str, ...]:
        """The columns of `watch.groups` that are kept from the model: the training data have them, and labels may bring them."""
        groups = self.watch.groups
        return tuple(name for name in dict.fromkeys([*groups.slices, *groups.protected]) if name in self.data.exclude)

    @property
    def training(self) -> TrainSettings:
        return TrainSettings(function=self.train) if isinstance(self.train, str) else self.train
