"""What can be asked about one kind of thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from homeostat.core.queries import Entity

NUMERIC = frozenset({"=", "!=", "<", "<=", ">", ">="})
TEXTUAL = frozenset({"=", "!=", "LIKE", "ILIKE"})
LISTED = TEXTUAL | {"IN", "NOT IN"}
PRESENCE = frozenset({"IS NULL", "IS NOT NULL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """`entities` maps the words before a dot to what they mean; a key without one is an attribute's.

    `texts` and `numbers` map the names of attributes to what they are called inside; `listed` are the attributes that IN and NOT IN
    take. `comparisons` are those of other entities and, as `texts`, of text attributes.
    """

    entities: Mapping[str, Entity]
    texts: Mapping[str, str]
    numbers: Mapping[str, str] = field(default_factory=dict)
    datasets: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    comparisons: Mapping[Entity, frozenset[str]] = field(default_factory=dict)
    text_comparisons: frozenset[str] = LISTED
    takes_fractions: bool = True
    orders: frozenset[Entity] = frozenset({"attribute"})

    @property
    def attributes(self) -> list[str]:
        """The names that attributes are known by, sorted."""
        return sorted({*self.texts, *self.numbers})
