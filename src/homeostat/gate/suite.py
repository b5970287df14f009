"""All checks over the evidence, and the report that they make together."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from homeostat.core.errors import HomeostatError, InvalidInput, near
from homeostat.core.values import Json
from homeostat.gate.check import Check, Result
from homeostat.gate.checks import CHECKS
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import GateSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteReport:
    """What every check said. `about`: what was judged, for the head of the report (JSON-ready)."""

    results: tuple[Result, ...]
    about: Json = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Nothing failed and something was looked at."""
        verdicts = [result.passed for result in self.results]
        return False not in verdicts and True in verdicts

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.passed is False)

    @property
    def summary(self) -> str:
        """One sentence: how many of what, and what failed."""
        counts = [sum(r.passed is verdict for r in self.results) for verdict in (True, False, None)]
        names = ", ".join(dict.fromkeys(result.check for result in self.failed))
        text = f"{counts[0]} passed, {counts[1]} failed, {counts[2]} did not apply"
        return f"{text}; failed: {names}" if names else text

    def to_json(self) -> Json:
        """Return the report as JSON-ready values."""
        results = [result.to_json() for result in self.results]
        return {"passed": self.passed, "summary": self.summary, "about": self.about, "results": results}

    @classmethod
    def from_json(cls, body: Json) -> "SuiteReport":
        """Return what `to_json` wrote."""
        return cls(results=tuple(Result.from_json(r) for r in body["results"]), about=body.get("about", {}))


def run_suite(
    evidence: Evidence, settings: GateSettings, *, checks: Mapping[str, Check] = CHECKS, about: Json | None = None
) -> SuiteReport:
    """Run every check, whatever the others say, and return their results in the order of names.

    Raises InvalidInput only where `gate.skip` names a check that does not exist.
    """
    for name in settings.skip:
        if name not in checks:
            raise InvalidInput(f"gate.skip names '{name}', which is no check", hint=near(name, checks))
    results: list[Result] = []
    for name, check in checks.items():
        if name in settings.skip:
            results.append(Result(check=name, passed=None, reason="left out by gate.skip"))
        else:
            results.extend(_run(check, evidence, settings))
    return SuiteReport(results=tuple(results), about=about or {})


def _run(check: Check, evidence: Evidence, settings: GateSettings) -> list[Result]:
    """The border around a check: what it raises is a failed result, and the other checks still run."""
    try:
        return check.run(evidence, settings) or [
            Result(check=check.name, passed=False, reason="the check said nothing")
        ]
    except HomeostatError as error:
        reason = error.message + (f" ({error.hint})" if error.hint else "")
        return [Result(check=check.name, passed=False, reason=reason, details={"error": error.code})]
    except Exception as error:
        log.exception("gate_check_raised", extra={"check": check.name})
        reason = f"the check itself broke: {type(error).__name__}: {error}"
        return [Result(check=check.name, passed=False, reason=reason, details={"error": type(error).__name__})]
