"""Who answers for a model: segments, splits, canaries, and the workers that hold them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Requests of which every row has these values are answered by `version`. `when` names features, or `key` for the request's key."""

    when: Mapping[str, str | int | float | bool | None]
    version: int

    def __post_init__(self) -> None:
        if not self.when:
            raise ValueError(f"a segment for version {self.version} names no value; a segment of all is a promotion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Shares of the keys, in per cent by version, that no segment has taken; they add up to 100.

    `policy`: `fixed`, or `thompson`: the shares follow the rewards that arrive, and none goes below `floor` per cent. `reward`: what a label
    says: `label`, its own value (1 for a click), or `correct`, whether the version's prediction equals it (a number: minus the error).
    """

    shares: Mapping[int, float]
    policy: Literal["fixed", "thompson"] = "fixed"
    reward: Literal["label", "correct"] = "label"
    floor: float = 5.0

    def __post_init__(self) -> None:
        if len(self.shares) < 2:
            raise ValueError("a split is between two versions at least")
        if min(self.shares.values()) < 0.0 or not math.isclose(sum(self.shares.values()), 100.0, abs_tol=1e-6):
            raise ValueError(f"the shares of a split are percentages that add up to 100, got {dict(self.shares)}")
        if not 0.0 <= self.floor * len(self.shares) <= 100.0:
            raise ValueError(f"a floor of {self.floor:g} % for each of {len(self.shares)} versions is impossible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which versions answer for a model. `generation` grows with every change, so that workers can say what they have loaded.

    Asked in this order: the first of `segments` that fits; `canary_percent` of keys go to `canary`; the `split`; the champion. `shadow` sees
    every request and answers none.
    """

    model: str
    generation: int
    champion: int | None
    shadow: int | None = None
    canary: int | None = None
    canary_percent: float = 0.0
    segments: tuple[Segment, ...] = ()
    split: Split | None = None
    since: datetime | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.canary_percent <= 100.0:
            raise ValueError(f"canary_percent is a percentage, got {self.canary_percent}")
        if self.canary is None and self.canary_percent:
            raise ValueError("a canary percentage needs a canary version")

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version that a worker must hold, champion first."""
        arms = () if self.split is None else tuple(self.split.shares)
        held = (self.champion, self.canary, self.shadow, *(segment.version for segment in self.segments), *arms)
        return tuple(dict.fromkeys(v for v in held if v is not None))

    def without(self, version: int) -> "Route":
        """Return the route with a version out of all but the championship; what is left of a split is shared by the others as before."""
        split, is_canary = self.split, self.canary == version
        if split is not None and version in split.shares:
            left = {v: share for v, share in split.shares.items() if v != version}
            total = sum(left.values())
            split = (
                replace(split, shares={v: 100.0 * share / total for v, share in left.items()})
                if len(left) > 1 and total > 0.0
                else None
            )
        return replace(
            self,
            shadow=None if self.shadow == version else self.shadow,
            canary=None if is_canary else self.canary,
            canary_percent=0.0 if is_canary else self.canary_percent,
            segments=tuple(segment for segment in self.segments if segment.version != version),
            split=split,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A serving process and the generations of routes that it has switched to."""

    worker_id: str
    pid: int
    host: str
    started: datetime
    heartbeat: datetime
    generations: dict[str, int] = field(default_factory=dict)
