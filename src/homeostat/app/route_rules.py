"""Segments and splits set by hand: done when every live worker has switched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from homeostat.app.switched import switched
from homeostat.app.wiring import House
from homeostat.core.errors import InvalidInput
from homeostat.core.records.routes import Route, Segment, Split
from homeostat.registry.routing import rules_json, set_rules
from homeostat.registry.versions import CHAMPION, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """The route as it is now, and the workers that have switched (none: no server is up)."""

    route: Route
    workers: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What a split follows: the `reward`, as in `core.records.routes.Split`, and the share (0 to 1) that each version keeps."""

    reward: Literal["label", "correct"]
    floor: float


def set_segments(house: House, texts: Sequence[str], *, because: str, force: str | None) -> Ruled:
    """Let each segment (`region=north,grade=2@3`: values, then the version) answer what fits it, in this order; none: the route has none."""
    return _set(house, segments=[segment_of(text) for text in texts], because=because, force=force)


def set_split(
    house: House, texts: Sequence[str], *, because: str, force: str | None, following: Following | None = None
) -> Ruled:
    """Share the keys among versions (`2=30`: version and per cent), from then on as the rewards say where one is given; none: end the split."""
    split: Split | Literal["none"] = split_of(texts, following) if texts else "none"
    if following is not None and following.reward == "label":
        _refuse_labels_that_are_no_rewards(house)
    return _set(house, split=split, because=because, force=force)


def segment_of(text: str) -> Segment:
    """Return the segment that a text means; a value that reads as a JSON number, true, false or null is that, anything else a text.

    >>> segment_of("region=north,grade=2@3")
    Segment(when={'region': 'north', 'grade': 2}, version=3)
    """
    values, _, version = text.rpartition("@")
    pairs = [pair.partition("=") for pair in values.split(",")]
    if not version.isdecimal() or not all(name and equals for name, equals, _ in pairs):
        raise InvalidInput(
            f"'{text}' is not a segment", hint="as in --segment region=north@3: the rows' values, then the version"
        )
    return Segment(when={name: _value(value) for name, _, value in pairs}, version=int(version))


def split_of(texts: Sequence[str], following: Following | None = None) -> Split:
    """Return the split that texts mean.

    >>> split_of(["1=30", "2=70"]).shares
    {1: 30.0, 2: 70.0}
    """
    try:
        shares = {int(version): float(share) for version, _, share in (text.partition("=") for text in texts)}
        if len(shares) < len(texts):
            raise InvalidInput("a version is named twice in the split", hint="as in 1=30 2=70")
        if following is None:
            return Split(shares=shares)
        return Split(shares=shares, policy="thompson", reward=following.reward, floor=100.0 * following.floor)
    except ValueError as error:
        raise InvalidInput(
            f"'{' '.join(texts)}' is not a split: {error}", hint="as in 1=30 2=70: versions and percentages"
        ) from error


def as_json(ruled: Ruled) -> dict[str, object]:
    """Return what was set as JSON-ready values."""
    route = ruled.route
    return {
        "model": route.model,
        "generation": route.generation,
        "champion": route.champion,
        "segments": [],
        "split": None,
        **rules_json(route),
        "workers": ruled.workers,
    }


def _refuse_labels_that_are_no_rewards(house: House) -> None:
    with house.store.read() as tx:
        signature = resolve(tx, house.project.model, CHAMPION).signature
    words = [label for label in signature.get("classes", []) if not isinstance(label, int | float)]
    if words:
        raise InvalidInput(
            f"a label of '{house.project.model}' is a word as '{words[0]}', not a reward",
            hint="--reward correct counts right answers",
        )


def _value(text: str) -> str | int | float | bool | None:
    try:
        found: object = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return found if found is None or isinstance(found, int | float | bool | str) else text


def _set(
    house: House,
    *,
    because: str,
    force: str | None,
    segments: Sequence[Segment] | None = None,
    split: Split | Literal["none"] | None = None,
) -> Ruled:
    route = set_rules(
        store=house.store,
        model=house.project.model,
        actor=house.actor,
        now=house.clock.now(),
        segments=segments,
        split=split,
        because=because,
        force=force,
    )
    return Ruled(route=route, workers=switched(house, route))
