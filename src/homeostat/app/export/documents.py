"""Objects of a cluster as YAML."""

from collections.abc import Sequence
from typing import Any

import yaml


class _Whole(yaml.SafeDumper):
    """Writes every list out: no anchors, which people do not read and some tools do not take."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def as_yaml(documents: Sequence[dict[str, Any]]) -> str:
    return yaml.dump_all(documents, Dumper=_Whole, sort_keys=False, explicit_start=True, width=140)
