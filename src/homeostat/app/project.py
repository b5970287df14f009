"""Reading homeostat.yaml: strict, and wrong places are named by file, line and path."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from homeostat.app import yaml_text
from homeostat.app.impossible import impossible
from homeostat.core.duration import Duration
from homeostat.core.errors import InvalidInput, InvalidProject, NotFound, near
from homeostat.retrain.project import Project

FILE = "homeostat.yaml"
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list: [a, b]",
    "object": "keys and values: {a: 1}",
    "null": "null",
}
_LIMITS = {"<=": "of at most", ">=": "of at least", "<": "below", ">": "above"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A project and where it lives; `state` is the folder that Homeostat keeps everything in."""

    project: Project
    root: Path

    @property
    def state(self) -> Path:
        return self.root / ".homeostat"


def find(start: Path, *, file: str = FILE) -> Path:
    """Return the nearest homeostat.yaml in `start` or a folder above it; raise NotFound with the command that makes one."""
    for folder in (start, *start.parents):
        if (folder / file).is_file():
            return folder / file
    raise NotFound(
        f"no {file} in {start} or above it",
        hint="`homeostat init DATA --target COLUMN` looks at your data and writes one",
    )


def load(path: Path) -> Place:
    """Return the project that the file describes; raise InvalidProject naming file, line, path and remedy."""
    if path.is_dir():
        path = find(path.resolve())
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidProject(
            f"cannot read {path}: {error}", hint=f"name a {FILE} in UTF-8, or the folder that has one"
        ) from error
    return Place(project=parse(text, name=str(path)), root=path.resolve().parent)


def parse(text: str, *, name: str = FILE) -> Project:
    r"""Return the project that YAML text describes.

    >>> parse("model: sales\ntask: regresion\ndata: {source: a.csv, target: y}")
    Traceback (most recent call last):
    homeostat.core.errors.InvalidProject: homeostat.yaml:2: task: Invalid enum value 'regresion'
    """
    try:
        tree = yaml.compose(text, Loader=yaml_text.Loader)
        content = yaml_text.read(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InvalidProject(
            f"{name}{line}: not valid YAML: {getattr(error, 'problem', error)}",
            hint="lines are indented by spaces, a key ends with a colon and a space, and brackets and quotes come in pairs",
        ) from error
    if not isinstance(content, dict):
        raise InvalidProject(
            f"{name}:1: the file must be a mapping with model, task and data",
            hint="`homeostat init DATA --target COLUMN` writes one that runs",
        )
    _refuse_repeated_keys(tree, name)
    try:
        project = msgspec.convert(content, Project, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _explained(str(error), tree, name) from error
    problem = next(impossible(project), None)
    if problem is not None:
        path, message, hint = problem
        raise InvalidProject(f"{name}:{_line(tree, path)}: {'.'.join(path)}: {message}", hint=hint)
    return project


def schema() -> dict[str, Any]:
    """Return the JSON Schema of homeostat.yaml, for editors."""

    def hook(kind: type) -> dict[str, Any]:
        if kind is Duration:
            return {
                "type": "string",
                "pattern": r"^(\s*\d+(\.\d+)?\s*(ms|s|min|h|d|w))+\s*$",
                "examples": ["7d", "15min"],
            }
        raise NotImplementedError(kind)

    found = msgspec.json.schema(Project, schema_hook=hook)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "homeostat.yaml", **found}


def _decode(kind: type, value: Any) -> Any:
    if kind is Duration:
        if not isinstance(value, str):
            raise TypeError(f"`{value}` is not a duration: write a number and a unit, as in 30s, 15min, 7d")
        try:
            return Duration.parse(value)
        except InvalidInput as error:
            raise ValueError(f"{error.message}: {error.hint}") from error
    raise NotImplementedError(kind)


def _explained(message: str, tree: Any, name: str) -> InvalidProject:
    text, _, where = message.partition(" - at ")
    path = tuple(re.findall(r"[^.\[\]`$]+", where))
    unknown = re.search(r"unknown field `([^`]+)`", text)
    hint = None
    if unknown:
        known = _known_keys(path)
        hint = near(unknown.group(1), known)
        path = (*path, unknown.group(1))
        text = f"unknown key '{unknown.group(1)}'"
    missing = re.search(r"missing required field `([^`]+)`", text)
    if missing:
        text = f"'{missing.group(1)}' is missing"
        hint = f"add a line `{missing.group(1)}: ...`"
    enum = re.search(r"Invalid enum value '?([^']*)'?", text)
    if enum:
        hint = near(enum.group(1).strip("'"), _choices(path))
    expected = re.search(r"Expected `([^`]+)`", text)
    if expected:
        words = [_WORDS[kind] for kind in expected.group(1).split(" | ") if kind in _WORDS]
        limit = re.search(r"(<=|>=|<|>) (\S+)$", text)
        bound = f" {_LIMITS[limit.group(1)]} {limit.group(2)}" if limit else ""
        hint = f"write {' or '.join(words)}{bound}" if words else None
    if "matching regex" in text:
        text, hint = "not a name", "letters, digits, - and _, at most 100, a letter first"
    dotted = ".".join(part for part in path if part != "...")
    hint = hint or "`homeostat project schema` tells what each key takes"
    return InvalidProject(f"{name}:{_line(tree, path)}: {dotted + ': ' if dotted else ''}{text}", hint=hint)


def _node_schema(path: Iterable[str]) -> dict[str, Any]:
    whole = schema()
    definitions = whole["$defs"]

    def resolved(node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            node = definitions[node["$ref"].rpartition("/")[2]]
        for option in node.get("anyOf", []):
            found = resolved(option)
            if "properties" in found or "enum" in found:
                return found
        return node

    node = resolved(whole)
    for part in path:
        inner = node.get("properties", {}).get(part) or node.get("items") or node.get("additionalProperties") or {}
        node = resolved(inner) if isinstance(inner, dict) else {}
    return node


def _known_keys(path: Iterable[str]) -> list[str]:
    return list(_node_schema(path).get("properties", {}))


def _choices(path: Iterable[str]) -> list[str]:
    return [str(choice) for choice in _node_schema(path).get("enum", [])]


def _line(tree: Any, path: Iterable[str]) -> int:
    """Return the line (from 1) of the deepest node on the path that the file has."""
    node, line = tree, 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == part), None)
            if pair is None and part == "...":
                continue
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _refuse_repeated_keys(node: Any, name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise InvalidProject(
                    f"{name}:{key.start_mark.line + 1}: '{key.value}' stands twice", hint="keep one of them"
                )
            seen.add(key.value)
            _refuse_repeated_keys(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_keys(value, name)
