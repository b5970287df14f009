"""What cannot be in homeostat.yaml although each value by itself is well-formed. Pure."""

from collections.abc import Iterator

from homeostat.core.duration import size_bytes
from homeostat.core.errors import HomeostatError
from homeostat.retrain.project import Project
from homeostat.serve.settings import CALLER, KEY, PARAMS

# where in the file, what is wrong, what to do
Problem = tuple[tuple[str, ...], str, str | None]


def impossible(project: Project) -> Iterator[Problem]:
    """Yield what is impossible in values that are each well-formed but cannot be, or not together."""
    yield from _impossible_sizes(project)
    yield from _impossible_columns(project)
    yield from _impossible_windows(project)
    yield from _impossible_recording(project)
    yield from _impossible_stack(project)
    for metric, bound in project.gate.metrics.items():
        if bound.min is not None and bound.max is not None and bound.min > bound.max:
            told = f"min {bound.min:g} is above max {bound.max:g}"
            yield ("gate", "metrics", metric), told, "no model could pass: correct one of them"
    taken: dict[int | None, str] = {}
    for name in ("port", "control_port", "grpc_port"):
        port = getattr(project.serve, name)
        if port and port in taken:
            yield ("serve", name), f"{port} is serve.{taken[port]} too", "give each a port of its own"
        taken[port] = name
    schedule = project.retrain.triggers.schedule
    if schedule is not None:
        from croniter import croniter

        if not croniter.is_valid(schedule):
            yield (
                ("retrain", "triggers", "schedule"),
                f"'{schedule}' is not a cron expression",
                'five fields, UTC: "0 3 * * 1" is Mondays at 3:00',
            )
    steps = [step.percent for step in project.retrain.rollout.canary]
    if steps != sorted(steps):
        yield ("retrain", "rollout", "canary"), f"percentages must grow from step to step, got {steps}", None


def _impossible_sizes(project: Project) -> Iterator[Problem]:
    for path, text in (
        (("train", "memory"), project.training.memory),
        (("serve", "memory"), project.serve.memory),
        (("serve", "max_body"), project.serve.max_body),
        (("serve", "max_job"), project.serve.max_job),
    ):
        try:
            if text is not None:
                size_bytes(text)
        except HomeostatError as error:
            yield path, error.message, error.hint


def _impossible_columns(project: Project) -> Iterator[Problem]:
    data = project.data
    if data.time == data.target:
        yield ("data", "time"), f"'{data.target}' is the target and cannot be the time column too", None
    if data.target in (*data.key, *data.exclude):
        yield ("data", "target"), f"'{data.target}' is listed as key or excluded column too", "take it off that list"
    groups, record = project.watch.groups, project.record
    for setting, names in (("slices", groups.slices), ("protected", groups.protected)):
        for name in names:
            if name in (data.target, data.time, *data.key):
                what = "the target" if name == data.target else "the time column" if name == data.time else "a key"
                yield ("watch", "groups", setting), f"'{name}' is {what}: it makes no groups", "name another column"
            elif name in (*record.drop, *record.hash):
                yield (
                    ("watch", "groups", setting),
                    f"'{name}' is in record.drop or record.hash: its groups would not be known",
                    "take it off one of the lists",
                )


def _impossible_windows(project: Project) -> Iterator[Problem]:
    watch = project.watch
    if project.training.window is not None and project.data.time is None:
        yield ("train", "window"), "a window of time needs a time column", "set data.time, or train.max_rows instead"
    if watch.window is not None and watch.window_rows is not None:
        yield ("watch", "window_rows"), "window and window_rows cannot both be set", "keep one of them"
    if watch.window is not None and not watch.window:
        yield ("watch", "window"), "a window of no length", "write how long it is: 1d, 7d"


def _impossible_stack(project: Project) -> Iterator[Problem]:
    if project.retrain.policy != "stack":
        return
    if project.data.time is None:
        yield ("retrain", "policy"), "a stack needs a time column: it is taught by rows that are newer", "set data.time"
    if project.retrain.triggers.new_rows is None:
        yield (
            ("retrain", "policy"),
            "a stack is renewed every so many new rows with labels, and nothing says how many",
            "set retrain.triggers.new_rows",
        )


def _impossible_recording(project: Project) -> Iterator[Problem]:
    """Retraining and watching take features from the record: only what is no feature may be missing there, or be a hash."""
    data, record = project.data, project.record
    allowed = {*data.key, *data.exclude, KEY, CALLER, PARAMS}
    for setting, names in (("drop", record.drop), ("hash", record.hash)):
        for name in names:
            if name in allowed:
                continue
            if name in (data.target, data.time):
                what = "is the target" if name == data.target else "is the time column"
                yield (
                    ("record", setting),
                    f"'{name}' {what}: nothing could be watched without it",
                    "take it off the list",
                )
            else:
                yield (
                    ("record", setting),
                    f"'{name}' is learned from, and models are watched and retrained on what is recorded",
                    f"add '{name}' to data.exclude, or take it off the list",
                )
    if both := sorted({*record.drop} & {*record.hash}):
        yield ("record", "hash"), f"'{both[0]}' is in record.drop too", "keep one of them"
    named = {*record.drop, *record.hash}
    if KEY in named and project.serve.key is not None and project.serve.key not in allowed:
        yield (
            ("record", "hash" if KEY in record.hash else "drop"),
            f"serve.key, '{project.serve.key}', is learned from, and features are recorded as they are",
            f"add '{project.serve.key}' to data.exclude, or take 'key' off the list",
        )
    keys = {KEY, *data.key} & named
    if keys and data.time is None and data.key:
        yield (
            ("record", "hash" if keys & {*record.hash} else "drop"),
            "without data.time, rows are split by data.key, and captured rows would not have the keys that others have",
            "set data.time",
        )
