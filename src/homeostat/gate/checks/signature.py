"""Whoever sends rows to the champion can send them to the candidate, and reads its answers the same way."""

from homeostat.core.columns import Column, Kind, Signature
from homeostat.core.errors import near
from homeostat.gate.check import Check, Result
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import GateSettings

NAME = "signature"
# A model that takes the second also takes what was sent to one that takes the first.
_WIDER = {(Kind.INTEGER, Kind.FLOAT), (Kind.CATEGORY, Kind.TEXT), (Kind.TEXT, Kind.CATEGORY)}


def run(evidence: Evidence, settings: GateSettings) -> list[Result]:
    del settings
    unfit = [*_absent(evidence), *_nulls(evidence)]
    results = [_result("test rows", unfit, "the test rows are what the model takes")]
    if evidence.champion_signature is None:
        return [*results, Result(check=NAME, subject="champion", passed=None, reason="there is no champion yet")]
    new, old = evidence.signature, evidence.champion_signature
    return [
        *results,
        _result("inputs", input_conflicts(new, old), "takes what the champion takes, or less"),
        _result("answers", answer_conflicts(new, old), "answers as the champion does"),
    ]


def input_conflicts(new: Signature, old: Signature) -> list[str]:
    """Return why rows made for the old signature would not do for the new one; empty where they would."""
    known = {column.name: column for column in old.columns}
    return [why for column in new.columns if (why := _conflict(column, known))]


def answer_conflicts(new: Signature, old: Signature) -> list[str]:
    """Return how answers differ in kind from what readers of the old model's answers expect."""
    found = []
    if new.task is not old.task:
        found.append(f"the task is {new.task.value}, the champion's {old.task.value}")
    if new.target != old.target:
        found.append(f"it predicts '{new.target}', the champion '{old.target}'")
    added = [label for label in new.classes if label not in old.classes]
    gone = [label for label in old.classes if label not in new.classes]
    if added:
        found.append(f"new classes {_listed(added)}")
    if gone:
        found.append(f"no longer answers {_listed(gone)}")
    return found


def _conflict(column: Column, known: dict[str, Column]) -> str | None:
    before = known.get(column.name)
    if before is None:
        hint = near(column.name, known)
        return f"wants '{column.name}', which the champion does not take" + (f" ({hint})" if hint else "")
    if before.kind is not column.kind and (before.kind, column.kind) not in _WIDER:
        return f"'{column.name}' is {column.kind.value}, the champion's is {before.kind.value}"
    return None


def _absent(evidence: Evidence) -> list[str]:
    return [f"no column '{name}'" for name in evidence.signature.names if name not in evidence.test.columns]


def _nulls(evidence: Evidence) -> list[str]:
    """Columns that hold nulls where the model takes none: such requests would be refused.

    Judged by the rows, not by the signatures: whether a window of training rows happened to hold a null is chance.
    """
    strict = [c.name for c in evidence.signature.columns if not c.nullable and c.name in evidence.test.columns]
    counts = {name: evidence.test[name].null_count() for name in strict}
    return [
        f"'{name}' is null in {count} rows, and the model takes no nulls" for name, count in counts.items() if count
    ]


def _listed(values: list[object]) -> str:
    return ", ".join(repr(value) for value in values[:5]) + (", ..." if len(values) > 5 else "")


def _result(subject: str, conflicts: list[str], right: str) -> Result:
    return Result(
        check=NAME,
        subject=subject,
        passed=not conflicts,
        value=float(len(conflicts)),
        limit=0.0,
        reason="; ".join(conflicts[:5]) + ("; ..." if len(conflicts) > 5 else "") if conflicts else right,
        details={"conflicts": conflicts},
    )


CHECK = Check(name=NAME, run=run)
