"""Policies of retraining that a backtest compares, one file each; every module here with a `POLICY` is one."""

from collections.abc import Mapping

from homeostat.core.errors import InvalidInput, near
from homeostat.core.plugins import plugins
from homeostat.retrain.policies.policy import Chosen, Labelled, Look, Policy, Rule
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings

__all__ = ["OWN", "POLICIES", "Chosen", "Labelled", "Look", "Policy", "Rule", "chosen", "named"]

OWN = "policy"


POLICIES: Mapping[str, Policy] = plugins(__name__, __path__, "POLICY", has_others=True)
_ALSO = {other: policy.name for policy in POLICIES.values() for other in policy.also}


def named(text: str) -> str:
    """Return the one name of a policy as people write it: `static` is `never`; raise InvalidInput where there is none.

    >>> named("static"), named("every_5"), named("policy")
    ('never', 'every_5', 'policy')
    """
    text = text.strip()
    if text == OWN:
        return text
    name, number = _parts(text)
    policy = POLICIES.get(name)
    if policy is None or (number is not None) is not policy.takes_number or number == 0:
        known = [f"{name}_5" if one.takes_number else name for name, one in POLICIES.items()]
        raise InvalidInput(f"no policy '{text}'", hint=near(text, [OWN, *known, *_ALSO]))
    return name if number is None else f"{name}_{number}"


def chosen(strategy: RetrainSettings | str, project: Project) -> Chosen:
    """Return the policy ready for one replay: settings stand for the loop's own triggers, `policy` for what the project says."""
    if isinstance(strategy, RetrainSettings):
        return POLICIES["triggers"].make(strategy, None, project)
    name, number = _parts(named(strategy))
    return POLICIES["triggers" if name == OWN else name].make(project.retrain, number, project)


def _parts(text: str) -> tuple[str, int | None]:
    name, _, number = text.rpartition("_")
    if name and number.isascii() and number.isdigit():
        return name, int(number)
    return _ALSO.get(text, text), None
