"""The checks of the gate, one file each; every module here with a `CHECK` is one."""

from collections.abc import Mapping

from homeostat.core.plugins import plugins
from homeostat.gate.check import Check

CHECKS: Mapping[str, Check] = plugins(__name__, __path__, "CHECK")
