"""homeostat.yaml as a person wants to find it: every key with a line of why, defaults visible but commented out. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from homeostat.app import yaml_text
from homeostat.core.duration import Duration
from homeostat.retrain.project import Project

WHY: dict[str, str] = {
    "version": "of this file's format",
    "model": "the name that the model is served under",
    "task": "binary, multiclass or regression",
    "data": "where the data come from, and what each column is",
    "data.source": "a CSV or Parquet file, a glob of either, a Delta table's folder, or a SQLAlchemy URL",
    "data.target": "the column to predict",
    "data.query": "what to ask a database for: SELECT ...",
    "data.time": "when a row happened: splits, windows and the backtest go by it",
    "data.key": "columns that name a row: labels may come back under them; not learned from",
    "data.exclude": "columns that the model must not see",
    "data.label_delay": "how long after its time a row's target becomes known: 7d",
    "data.columns": "kinds that were inferred wrongly: {zip: category}",
    "data.contract": "what every new batch must satisfy; inferred from the first, shown by `homeostat data contract`",
    "data.contract.columns": "rules of your own: {age: {min: 0, max: 120, nullable: false}}",
    "data.contract.min_rows": "fewer rows than this are not a batch",
    "data.contract.max_rows": "more rows than this are a mistake",
    "data.contract.freshness": "how old the newest row may be: 2d",
    "data.contract.allow_extra_columns": "columns that were not there before are taken",
    "train": "how a model is made from data; `train: module:function` alone is enough for your own function",
    "train.function": "your own code, module:function in this folder; null: the default trainer",
    "train.window": "how far back training rows go: 90d; null: everything",
    "train.max_rows": "the newest so many rows only",
    "train.test_share": "the newest share of the rows, held out for the gate",
    "train.refit": "after the gate, train once more on all rows, the held-out ones too",
    "train.seed": "the same seed, the same model",
    "train.timeout": "training is stopped after this long",
    "train.memory": "training is stopped above this",
    "train.env": "environment variables that your code may see (secrets are not passed by themselves)",
    "train.params": "given to your function; for the default trainer: {max_iter: 200, learning_rate: 0.05}",
    "gate": "what a new version must prove before it may answer",
    "gate.metrics": "bounds of your own: {roc_auc: {min: 0.7}}",
    "gate.champion": "the comparison with the version that answers now, on the same rows",
    "gate.champion.rule": "not_worse (by more than margin), better, or off",
    "gate.champion.metric": "null: log loss for classes, mean absolute error for numbers",
    "gate.champion.margin": "in units of the metric; null: a small share of the champion's",
    "gate.champion.confidence": "of the interval of the difference",
    "gate.champion.resamples": "of the bootstrap",
    "gate.slices": "no group of rows may be served much worse than the whole",
    "gate.slices.columns": "columns that make groups: [region]",
    "gate.slices.protected": "columns of people's protected traits: [sex, age]",
    "gate.slices.metric": "null: the task's own",
    "gate.slices.max_gap": "how much worse the worst group may be, in units of the metric",
    "gate.slices.min_rows": "smaller groups say nothing and are left out",
    "gate.max_calibration_error": "how far stated probabilities may be from what happens; null: any",
    "gate.max_latency": "of one answer of the real server: 50ms; null: any",
    "gate.infrastructure": "load the candidate in a fresh server and ask it real rows",
    "gate.skip": "names of checks to leave out",
    "serve": "how requests are answered",
    "serve.host": "0.0.0.0 lets other machines in",
    "serve.port": "predictions and labels",
    "serve.control_port": "status, cycles, metrics of the loop",
    "serve.grpc_port": "the Open Inference Protocol over gRPC (extra grpc): 8702; null: off",
    "serve.workers": "inference processes",
    "serve.key": "the column that makes a canary sticky: a customer, a device",
    "serve.max_body": "of one request",
    "serve.max_job": "of the rows of one batch job",
    "serve.max_rows": "of one request",
    "serve.compiled": "auto: the compiled form of a version answers where it agreed with the original; off: never",
    "serve.environments": "own: a version made with other packages than the server's gets an environment of its own (downloads; uv)",
    "serve.durability": "strict: an answer survives a kill; synced: a loss of power too, slower; fast: the last second may be lost",
    "serve.queue": "requests that may wait for a model; more get 429",
    "serve.timeout": "the longest that a batch may take a model, whose process is then started anew",
    "serve.trial_timeout": "the same for a canary; the champion answers then",
    "serve.memory": "above this the process of a model is started anew: 2GB; null: no limit",
    "serve.standby": "keep the version in memory that a roll-back would bring back, so that it answers at once",
    "serve.traces": "the share of requests that are traced (extra otel, OTEL_EXPORTER_OTLP_ENDPOINT), beside those whose callers trace them",
    "serve.drain": "how long requests under way may take at a stop",
    "record": "what was answered and what turned out true",
    "record.keep": "rows received so long ago are removed for good, by whole days (UTC): 400d; null: never",
    "record.sample": "the share of requests that are recorded, by their ids; labels need request ids then",
    "record.drop": "columns of data.key or data.exclude of which nothing is recorded; key, caller, params: what requests bring beside rows",
    "record.hash": "columns of which a keyed hash is recorded instead: the same value, the same hash",
    "watch": "how one notices that the world moved",
    "watch.window": "length of the windows that are judged: 7d",
    "watch.window_rows": "or so many rows each",
    "watch.metric": "null: log loss for classes, mean absolute error for numbers",
    "watch.decay": "how much worse is decay, in units of the metric; null: 5 % of the reference, beyond chance",
    "watch.maturity": "the share of labels that must be there before a window's performance counts",
    "watch.min_labels": "fewer labels say nothing",
    "watch.max_rows": "a look reads about so many rows; of more, those of requests drawn by their ids",
    "watch.max_invalid_share": "more bad rows than this and the data are broken",
    "watch.detectors": "what listens to the errors of labelled rows: adwin, page_hinkley, ddm, eddm, hddm_w, kswin, cusum, ewma",
    "watch.incidents": "windows that alarm for one kind of cause, as one story",
    "watch.incidents.cooldown": "one that begins again within it is the same, and is not told twice",
    "watch.incidents.least": "low, medium or high: what is less severe is kept, and not told",
    "watch.estimates": "estimators of performance before labels come: cbpe, pape, dle; null: those that fit, []: none",
    "watch.drift": "movement of inputs and predictions: it takes effect size and significance",
    "watch.drift.methods": "null: the usual ones for each kind of column",
    "watch.drift.thresholds": "effect that alarms, by method: {psi: 0.25}",
    "watch.drift.joint": "drift of all columns together: domain_classifier, pca_reconstruction, energy, mmd; null: the first two, []: none",
    "watch.drift.alpha": "false alarms that are accepted, over all columns",
    "watch.drift.min_rows": "fewer rows say nothing",
    "watch.groups": "parts of the rows that are watched by themselves",
    "watch.groups.slices": "columns by whose groups the metric is watched",
    "watch.groups.protected": "columns by whose groups fairness is measured (two classes), and the metric; those in data.exclude come with labels",
    "watch.groups.found": "look for slices that are worse than the rest",
    "watch.groups.min_rows": "of a smaller group nothing is said",
    "alerts": "channels that hear of incidents: {ops: $OPS_ALERTS}, an address (https, mailtos, slack, workflows) or the variable that holds it",
    "retrain": "when and how a successor is made and put to work",
    "retrain.policy": "a cycle makes a new model (triggers), or renews a stack of past champions (stack)",
    "retrain.triggers": "what may start a cycle",
    "retrain.triggers.performance": "labelled windows became worse",
    "retrain.triggers.quality": "incoming data are broken",
    "retrain.triggers.drift": "never, without_labels (only where labels cannot come), always",
    "retrain.triggers.schedule": 'cron, UTC: "0 3 * * 1" is Mondays at 3:00',
    "retrain.triggers.new_rows": "so many new labelled rows",
    "retrain.cooldown": "least time between two cycles",
    "retrain.approval": "a person must approve before a version meets traffic",
    "retrain.approval_timeout": "then it counts as refused",
    "retrain.rollout": "how a version that passed the gate is put to work",
    "retrain.rollout.shadow_requests": "it first sees so many requests without answering",
    "retrain.rollout.shadow_time": "and for so long",
    "retrain.rollout.canary": "then it answers a growing share",
    "retrain.rollout.labels": "labelled canary requests to wait for before the last step is left",
    "retrain.rollout.margin": "its loss may be so much above the champion's; null: what the gate allows",
    "retrain.rollout.max_error_rate": "above it, credibly: rolled back",
    "retrain.rollout.max_latency_ratio": "slower than the champion by more: rolled back",
    "retrain.rollout.max_disagreement": "answers differ credibly more from the champion's: rolled back; null: any",
    "retrain.rollout.max_shift": "or are credibly higher or lower on average by more: rolled back; null: any",
    "retrain.rollout.alpha": "false roll-backs that are accepted",
    "retrain.rollout.patience": "a step that has not seen enough by then is over",
    "retrain.rollout.on_timeout": "roll_back or promote",
    "retrain.rollout.poll": "how often a step is looked at",
}

_HEAD = """\
# What Homeostat knows about this project. It runs as it is. Lines that start with "# " show defaults: to change one, take the "# " away there and on its heading.
# `homeostat project check` names what is wrong, by line; `homeostat project schema` is for editors."""
_COMMENT_AT = 44


def explained(project: Project) -> str:
    """Return YAML that decodes to the project: what differs from the defaults is set, the rest is commented out."""
    return "\n".join([_HEAD, *_lines(project, path=(), indent=0)]) + "\n"


def builtins(project: Project) -> dict[str, Any]:
    """Return the whole project, defaults included, as values that YAML and JSON have. Addresses of alert channels may hold secrets and are cut."""
    found: dict[str, Any] = msgspec.to_builtins(
        msgspec.structs.replace(project, train=project.training), enc_hook=_written
    )
    found["alerts"] = {name: _without_secret(text) for name, text in project.alerts.items()}
    return found


def _without_secret(text: str) -> str:
    return text if text.startswith("$") else f"{text.partition('://')[0]}://..."


def _lines(struct: msgspec.Struct, *, path: tuple[str, ...], indent: int) -> Iterator[str]:
    defaults = _defaults(type(struct))
    for name in struct.__struct_fields__:
        value = struct.training if isinstance(struct, Project) and name == "train" else getattr(struct, name)
        where = (*path, name)
        why = WHY.get(".".join(where), "")
        if isinstance(value, msgspec.Struct):
            inner = list(_lines(value, path=where, indent=indent + 1))
            is_set = any(not line.startswith("#") for line in inner if line)
            if not path:
                yield ""
            yield _line(name, "", why, indent=indent, is_set=is_set)
            yield from inner
        else:
            is_set = name not in defaults or value != defaults[name]
            yield _line(name, f" {_scalar(value)}", why, indent=indent, is_set=is_set)


def _line(name: str, shown: str, why: str, *, indent: int, is_set: bool) -> str:
    text = f"{'' if is_set else '# '}{'  ' * indent}{name}:{shown}"
    return f"{text.ljust(_COMMENT_AT)}  # {why}" if why else text


def _defaults(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    out: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            out[field.name] = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            out[field.name] = field.default_factory()
    return out


def _scalar(value: Any) -> str:
    plain = [msgspec.to_builtins(value, enc_hook=_written)]
    text = yaml_text.write(plain, flow=True, width=10**9)
    if yaml_text.read(text) != plain:  # rare line ends of Unicode are lost unless escaped
        text = yaml_text.write(plain, flow=True, width=10**9, unicode=False)
    return text.strip()[1:-1]


def _written(value: Any) -> Any:
    if isinstance(value, Duration):
        return str(value)
    raise NotImplementedError(type(value).__name__)
