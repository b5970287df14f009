"""Filters and orders: parsed by hand into conditions, so that no text of a client ever reaches a database as language."""

from collections.abc import Sequence
from itertools import islice

from homeostat.core.errors import InvalidInput
from homeostat.core.queries import Condition, Entity, Operand, Order
from homeostat.track.search.language import NUMERIC, Language
from homeostat.track.search.tokens import Token, tokens, unquoted

MOST_CONDITIONS = 200
MOST_LISTED = 10_000
_INTEGER_64 = 2**63


def parse_filter(text: str, language: Language) -> tuple[Condition, ...]:
    """Return the conditions that all must hold; none for an empty text. Raise InvalidInput naming the clause that is wrong."""
    return _Parser(list(tokens(text)), language).conditions()


def parse_order(texts: Sequence[str], language: Language) -> tuple[Order, ...]:
    """Return the orders, the first the most important; each is a name and, perhaps, ASC or DESC."""
    out = [_order(text, language) for text in texts]
    if len({(one.entity, one.key) for one in out}) < len(out):
        raise InvalidInput(f"`order_by` contains duplicate fields: {list(texts)}")
    return tuple(out)


class _Parser:
    def __init__(self, found: list[Token], language: Language) -> None:
        self._tokens = found
        self._at = 0
        self._language = language

    def conditions(self) -> tuple[Condition, ...]:
        out: list[Condition] = []
        while self._at < len(self._tokens):
            if out and self._take().upper != "AND":
                raise self._refused(self._at - 1)
            out.append(self._condition())
            if len(out) > MOST_CONDITIONS:
                raise InvalidInput(f"Invalid filter: at most {MOST_CONDITIONS} conditions are taken")
        return tuple(out)

    def _condition(self) -> Condition:
        start = self._at
        name = self._take()
        if name.kind not in {"name", "word"} or name.upper in {"AND", "OR", "NOT"}:
            raise self._refused(start)
        entity, key = identifier(name.text, self._language)
        operator = self._operator(start)
        _check(entity, key, operator, self._language)
        if operator in {"IS NULL", "IS NOT NULL"}:
            return Condition(entity=entity, key=key, operator=operator, value=None)
        return Condition(entity=entity, key=key, operator=operator, value=self._value(entity, key, operator))

    def _operator(self, start: int) -> str:
        first = self._take()
        match first.upper:
            case "NOT" if self._take().upper == "IN":
                return "NOT IN"
            case "IS":
                word = self._take().upper
                if word == "NOT" and self._take().upper == "NULL":
                    return "IS NOT NULL"
                if word == "NULL":
                    return "IS NULL"
            case "LIKE" | "ILIKE" | "IN":
                return first.upper
            case _ if first.kind == "operator":
                return first.text
        raise self._refused(start)

    def _value(self, entity: Entity, key: str, operator: str) -> Operand:
        token = self._take()
        if operator in {"IN", "NOT IN"}:
            return self._list(token, entity, key)
        if entity == "metric" or (entity == "attribute" and key in self._language.numbers.values()):
            return self._number(token, entity, key)
        if token.kind != "text":
            what = "dataset attributes" if entity == "dataset" else "attributes" if entity == "attribute" else entity
            example = " (e.g. 'my-value')" if entity in {"param", "tag"} else ""
            raise InvalidInput(f"Expected a quoted string value for {what}{example}. Got value {_short(token.text)}")
        return unquoted(token.text)

    def _number(self, token: Token, entity: Entity, key: str) -> float:
        if token.kind != "number":
            what = "metric" if entity == "metric" else f"numeric attribute: {key}"
            raise InvalidInput(f"Expected numeric value type for {what}. Found {_short(token.text)}")
        if entity == "metric":
            return float(token.text)
        if token.text.lstrip("+-").isdigit() and len(token.text) < 30:
            number = int(token.text)
            if -_INTEGER_64 <= number < _INTEGER_64:
                return number
        elif self._language.takes_fractions:
            return float(token.text)
        raise InvalidInput(f"Invalid value for numeric attribute '{key}': '{_short(token.text)}'")

    def _list(self, opening: Token, entity: Entity, key: str) -> tuple[str, ...]:
        if entity == "attribute" and key not in self._language.listed:
            raise InvalidInput(
                f"Only {sorted(self._language.listed)} attributes support comparison with a list of quoted string values."
            )
        if opening.kind != "open":
            raise InvalidInput(
                f"Expected a list of quoted string values, as ('a', 'b'). Got value {_short(opening.text)}"
            )
        out: list[str] = []
        while (token := self._take()).kind != "close":
            if token.kind != "text":
                raise InvalidInput(
                    "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type "
                    f"in list: {_short(token.text)}"
                )
            out.append(unquoted(token.text))
            if len(out) > MOST_LISTED:
                raise InvalidInput(f"Invalid filter: a list may hold at most {MOST_LISTED} values")
            following = self._take()
            if following.kind == "close":
                break
            if following.kind != "comma":
                raise InvalidInput(
                    "While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list."
                )
        if not out:
            raise InvalidInput(
                "While parsing a list in the query, expected a non-empty list of string values, but got empty list"
            )
        return tuple(out)

    def _take(self) -> Token:
        if self._at >= len(self._tokens):
            raise InvalidInput("Invalid clause(s) in filter string: it ends in the middle of a comparison")
        self._at += 1
        return self._tokens[self._at - 1]

    def _refused(self, start: int) -> InvalidInput:
        clause = " ".join(token.text for token in islice(self._tokens, start, start + 4))
        return InvalidInput(f"Invalid clause(s) in filter string: '{_short(clause)}'")


def identifier(text: str, language: Language) -> tuple[Entity, str]:
    """Return what a name such as `metrics.auc`, params.`a b` or `start_time` means."""
    first, dot, rest = text.partition(".") if not _is_quoted(text) else (text, "", "")
    if not dot:
        return "attribute", _attribute(unquoted(first), language)
    entity = language.entities.get(unquoted(first))
    if entity is None:
        raise InvalidInput(f"Invalid entity type '{_short(first)}'. Valid values are {sorted(language.entities)}")
    key = unquoted(rest)
    if entity == "attribute":
        return entity, _attribute(key, language)
    if entity == "dataset" and key not in language.datasets:
        raise InvalidInput(
            f"Invalid dataset key '{_short(key)}' specified. Valid keys are '{sorted(language.datasets)}'"
        )
    return entity, key


def _attribute(key: str, language: Language) -> str:
    found = language.texts.get(key) or language.numbers.get(key)
    if found is None:
        raise InvalidInput(f"Invalid attribute key '{_short(key)}' specified. Valid keys are '{language.attributes}'")
    return found


def _check(entity: Entity, key: str, operator: str, language: Language) -> None:
    if entity == "attribute":
        allowed = NUMERIC if key in language.numbers.values() else language.text_comparisons
    else:
        allowed = language.comparisons[entity]
    if operator in allowed:
        return
    if operator in {"IS NULL", "IS NOT NULL"}:
        raise InvalidInput(
            f"IS NULL / IS NOT NULL is only supported for tags and params, not for '{entity}' '{_short(key)}'"
        )
    raise InvalidInput(f"Invalid comparator '{operator}' not one of '{sorted(allowed)}'")


def _order(text: str, language: Language) -> Order:
    words = list(islice(tokens(text), 3))
    if not words or len(words) > 2 or words[0].kind not in {"name", "word", "text"}:
        raise InvalidInput(f"Invalid order_by clause '{_short(text)}'. Could not be parsed.")
    if len(words) == 2 and words[1].upper not in {"ASC", "DESC"}:
        raise InvalidInput(f"Invalid ordering key in order_by clause '{_short(text)}'.")
    entity, key = identifier(words[0].text, language)
    if entity not in language.orders:
        raise InvalidInput(f"Invalid order_by entity: {entity}")
    return Order(entity=entity, key=key, is_ascending=len(words) == 1 or words[1].upper == "ASC")


def _is_quoted(text: str) -> bool:
    return unquoted(text) != text and text[0] not in text[1:-1]


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "..."
