"""What runs and experiments can be asked."""

from homeostat.core.queries import Entity
from homeostat.track.search.language import LISTED, NUMERIC, PRESENCE, TEXTUAL, Language


def _itself(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_ATTRIBUTES: dict[str, Entity] = dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute")
_TAGS: dict[str, Entity] = dict.fromkeys(("tag", "tags"), "tag")

RUNS = Language(
    entities={
        **_ATTRIBUTES,
        **_TAGS,
        **dict.fromkeys(("metric", "metrics"), "metric"),
        **dict.fromkeys(("param", "params", "parameter", "parameters"), "param"),
        **dict.fromkeys(("dataset", "datasets"), "dataset"),
    },
    texts=_itself("artifact_uri", "run_id", "run_name", "status", "user_id")
    | dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
    numbers=_itself("start_time", "end_time") | dict.fromkeys(("created", "Created"), "start_time"),
    datasets=frozenset({"name", "digest", "context"}),
    listed=frozenset({"run_id"}),
    comparisons={"metric": NUMERIC, "param": TEXTUAL | PRESENCE, "tag": TEXTUAL | PRESENCE, "dataset": LISTED},
    orders=frozenset({"attribute", "metric", "param", "tag"}),
)

EXPERIMENTS = Language(
    entities={"attribute": "attribute", "attributes": "attribute", **_TAGS},
    texts=_itself("name", "experiment_id"),
    numbers=_itself("creation_time", "last_update_time"),
    listed=frozenset({"experiment_id"}),
    comparisons={"tag": TEXTUAL | PRESENCE},
    takes_fractions=False,
)
