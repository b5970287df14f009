"""The Western Electric rules: patterns of standardised values that a process in control seldom shows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Rule = Literal[1, 2, 3, 4]
WORDS: dict[Rule, str] = {
    1: "one value beyond three standard deviations",
    2: "two of three values beyond two standard deviations on one side",
    3: "four of five values beyond one standard deviation on one side",
    4: "eight values in a row on one side of the centre",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A rule that the newest values break. Rules 1 and 4 alarm; 2 and 3 are told only, as together they alarm four times as often."""

    rule: Rule
    is_alarm: bool
    side: Literal["above", "below"]

    @property
    def words(self) -> str:
        return f"{WORDS[self.rule]}, {self.side}"


def patterns(scores: Sequence[float]) -> list[Pattern]:
    """Return the rules that the newest of the values, in standard deviations from the centre, completes.

    Western Electric Company (1956), "Statistical Quality Control Handbook".

    >>> [found.rule for found in patterns([0.1, 0.2, 3.5])], [found.rule for found in patterns([0.5] * 8)]
    ([1], [4])
    """
    found: list[Pattern] = []
    sides: tuple[tuple[Literal["above", "below"], float], ...] = (("above", 1.0), ("below", -1.0))
    for side, sign in sides:
        mine = [sign * score for score in scores[-8:]]
        broken: list[Rule] = []
        if mine and mine[-1] > 3.0:
            broken.append(1)
        if _many(mine, 3, beyond=2.0, least=2):
            broken.append(2)
        if _many(mine, 5, beyond=1.0, least=4):
            broken.append(3)
        if _many(mine, 8, beyond=0.0, least=8):
            broken.append(4)
        found += [Pattern(rule=rule, is_alarm=rule in (1, 4), side=side) for rule in broken]
    return found


def _many(values: Sequence[float], of: int, *, beyond: float, least: int) -> bool:
    """Return whether the newest value lies beyond, and so do enough of the newest `of`."""
    newest = values[-of:]
    return len(newest) == of and newest[-1] > beyond and sum(value > beyond for value in newest) >= least
