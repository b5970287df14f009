"""Where a client may say that a version comes from: a run's or logged model's artifacts on this server, or another version. Nowhere else."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.ports.store import Transaction
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.tracking import LoggedModel, Run
from homeostat.core.values import Json
from homeostat.registry import names
from homeostat.track.artifacts import SCHEME, blob_at, blob_of_uri, is_below, safe_path

PROMPT_SOURCES = frozenset({"prompt-template", "dummy-source"})
MOST_SOURCE = 2000
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_ODD = re.compile(r"[#?;\\\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source as it is kept, the blob prefix that it means (empty: no files), and what made it. `copied` is the version it names."""

    source: str
    location: str
    run_id: str = ""
    model_id: str = ""
    copied: ModelVersion | None = None
    lineage: Json = field(default_factory=dict)


def resolve_source(tx: Transaction, source: str, *, run_id: str | None, model_id: str | None) -> Source:
    """Return what a source means; raise InvalidInput where it is not the place of the run or logged model that is named with it."""
    _refuse_odd(source)
    scheme, _, rest = source.partition(":")
    match scheme:
        case "models" if _MODEL_ID.fullmatch(rest.strip("/")):
            return _of_logged_model(tx, source, rest.strip("/"), run_id=run_id, model_id=model_id)
        case "models":
            return _of_version(tx, source, rest, run_id=run_id, model_id=model_id)
        case "runs":
            return _of_run(tx, source, rest, run_id=run_id)
        case "mlflow-artifacts":
            return _of_address(tx, source, run_id=run_id, model_id=model_id)
        case _:
            raise InvalidInput(
                f"Invalid model version source: '{source[:500]}'. It must be a place on this server: {SCHEME}/..., runs:/... or models:/...",
                hint="log the model to this server first, and register it from there",
            )


def _refuse_odd(source: str) -> None:
    if len(source) > MOST_SOURCE:
        raise InvalidInput(f"Invalid model version source: it has {len(source)} characters, at most {MOST_SOURCE} fit")
    decoded = source
    for _ in range(10):
        decoded, before = unquote(decoded), decoded
        if _ODD.search(decoded) or ".." in decoded.split("/"):
            raise _invalid(source, "It holds characters or parts that lead elsewhere.")
        if decoded == before:
            break
    if "//" in source:
        raise _invalid(source, "It names a host, or has an empty part.")


def _of_logged_model(
    tx: Transaction, source: str, found_id: str, *, run_id: str | None, model_id: str | None
) -> Source:
    if model_id != found_id:
        raise _not_within(source, "model_id")
    model = _logged_model(tx, source, found_id)
    return Source(
        source=source,
        location=blob_at(model.artifacts),
        run_id=run_id or model.source_run_id,
        model_id=found_id,
    )


def _of_version(tx: Transaction, source: str, rest: str, *, run_id: str | None, model_id: str | None) -> Source:
    found = _named_version(tx, source, rest.strip("/"))
    if names.is_prompt(names.get(tx, found.model)):
        raise _invalid(source, "Prompt versions cannot be used as model version sources.")
    if (run_id is not None and run_id != found.run_id) or (model_id is not None and model_id != found.model_id):
        raise _invalid(source, "The run_id and model_id request parameters must match the referenced model version.")
    return Source(
        source=f"models:/{found.model}/{found.version}",
        location=found.location,
        run_id=found.run_id,
        model_id=found.model_id,
        copied=found,
        lineage={"copied_from": f"{found.model}/{found.version}"},
    )


def _named_version(tx: Transaction, source: str, text: str) -> ModelVersion:
    """`name/3`, `name/Production`, `name/latest` or `name@alias`."""
    name, _, which = text.partition("/")
    if "@" in name and not which:
        name, _, alias = name.rpartition("@")
        names.get(tx, name)
        return by_alias(tx, name, alias)
    if not name or not which or "/" in which:
        raise _invalid(source, "It names no model version.")
    names.get(tx, name)
    if which.isdecimal():
        return version_of(tx, name, int(which))
    known = tx.models.latest([name])
    fitting = known if which.lower() == "latest" else [v for v in known if v.stage.lower() == which.lower()]
    if not fitting:
        raise _invalid(source, f"No version of '{name}' is in stage '{which}'.")
    return max(fitting, key=lambda version: version.version)


def by_alias(tx: Transaction, name: str, alias: str) -> ModelVersion:
    """Return the version that an alias (or `latest`) names; raise InvalidInput where nothing has it, as clients expect."""
    if alias.lower() == "latest":
        newest = tx.models.latest([name])
        if not newest:
            raise NotFound(f"Latest version not found for model {name}.")
        return max(newest, key=lambda version: version.version)
    number = tx.models.alias(name, alias)
    if number is None:
        raise InvalidInput(f"Registered model alias {alias} not found.")
    return tx.models.get(name, number)


def version_of(tx: Transaction, name: str, version: int) -> ModelVersion:
    """Return the version; raise NotFound in the words that clients know."""
    try:
        return tx.models.get(name, version)
    except (NotFound, OverflowError) as error:
        raise NotFound(f"Model Version (name={name}, version={version}) not found") from error


def _of_run(tx: Transaction, source: str, rest: str, *, run_id: str | None) -> Source:
    found_id, _, path = rest.strip("/").partition("/")
    if not run_id or found_id != run_id:
        raise _not_within(source, "run_id")
    run = _run(tx, source, run_id)
    return Source(source=source, location=blob_at(run.artifacts, safe_path(path)), run_id=run_id)


def _of_address(tx: Transaction, source: str, *, run_id: str | None, model_id: str | None) -> Source:
    location = blob_of_uri(source)
    if model_id:
        model = _logged_model(tx, source, model_id)
        if not is_below(source, model.artifacts):
            raise _not_within(source, "model_id")
        return Source(source=source, location=location, run_id=run_id or model.source_run_id, model_id=model_id)
    if not run_id or not is_below(source, _run(tx, source, run_id).artifacts):
        raise _not_within(source, "run_id")
    return Source(source=source, location=location, run_id=run_id)


def _run(tx: Transaction, source: str, run_id: str) -> Run:
    try:
        return tx.runs.head(run_id)
    except NotFound as error:
        raise _not_within(source, "run_id") from error


def _logged_model(tx: Transaction, source: str, model_id: str) -> LoggedModel:
    try:
        return tx.logged_models.get(model_id)
    except NotFound as error:
        raise _not_within(source, "model_id") from error


def _not_within(source: str, field_name: str) -> InvalidInput:
    return _invalid(source, f"The {field_name} request parameter must identify the resource that contains the source.")


def _invalid(source: str, why: str) -> InvalidInput:
    return InvalidInput(f"Invalid model version source: '{source[:500]}'. {why}")
