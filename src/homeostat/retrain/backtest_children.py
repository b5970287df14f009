"""The backtest with each policy in a child process, two at a time, their progress told as it comes."""

import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

import msgspec
import polars as pl

from homeostat.core.duration import size_bytes
from homeostat.core.errors import JobFailed
from homeostat.retrain.backtest import Progress, Strategy, combine, policies_of, prepare
from homeostat.retrain.backtest_child import spec_of
from homeostat.retrain.backtest_kept import Kept, code_of, key_of
from homeostat.retrain.backtest_result import BacktestResult, PolicyResult
from homeostat.retrain.comparison import Terms
from homeostat.retrain.detection import rows_of
from homeostat.retrain.policies import chosen as ready
from homeostat.retrain.project import Project
from homeostat.retrain.timeline import Span
from homeostat.train.runner import ChildResult, Limits, run_child

AT_ONCE = 2
_CHILD = "homeostat.retrain.backtest_child"
_LOOK_S = 0.1
_LAST_LINES = 10
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def backtest_in_children(
    frame: pl.DataFrame,
    *,
    project: Project,
    policies: Mapping[str, Strategy] | None = None,
    history: Span | None = None,
    step: Span | None = None,
    root: Path,
    workdir: Path,
    terms: Terms | None = None,
    kept: Kept | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> BacktestResult:
    """Return what `backtest` returns; `progress` is called in this thread. Replays that are in `kept` are not made again.

    Two children share the cores: each gets its part as the number of threads, unless the environment says otherwise. A child may use the
    memory of a training, and the time of one for every step. Raises JobFailed where one fails; the others are then stopped.
    """
    begun = time.perf_counter()
    line, _ = prepare(frame, project=project, history=history, step=step)
    given = dict(policies or policies_of(project))
    workdir.mkdir(parents=True, exist_ok=True)
    file, stop = workdir / "frame.arrow", workdir / "stop"
    stop.unlink(missing_ok=True)
    frame.write_ipc(file)
    training = project.training
    limits = Limits(
        timeout_s=training.timeout.total_seconds() * (len(line.steps) + 1),
        memory_bytes=size_bytes(training.memory),
        env=tuple(training.env),
    )
    if terms is not None and terms.change_points:  # a wrong one is told before the work
        rows_of(terms.change_points, line, delay=project.data.label_delay)
    code = "" if kept is None else code_of(root)
    environment = _shared_out(os.environ, at_once=min(AT_ONCE, len(given)))

    def one(index: int, name: str) -> PolicyResult:
        folder = workdir / f"policy{index}"
        folder.mkdir(exist_ok=True)
        spec = spec_of(
            name=name,
            strategy=given[name],
            project=project,
            frame=file,
            root=root,
            history=history,
            step=step,
            progress=_lines(workdir, index),
            stop=stop,
        )
        key = "" if kept is None else key_of(spec, frame=file, code=code)
        known = None if kept is None else kept.get(key)
        if known is not None:
            _tell_the_end(known, _lines(workdir, index))
            return known
        result = run_child(_CHILD, spec, limits=limits, cwd=root, workdir=folder, environment=environment)
        found = _accepted(name, result, limits)
        if kept is not None:
            kept.put(key, found)
        return found

    names = list(given)
    for index in range(len(names)):
        _lines(workdir, index).write_text("", encoding="utf-8")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            # the one that trains most goes first: the others fit beside it
            order = sorted(range(len(names)), key=lambda index: -ready(given[names[index]], project).work)
            futures = {index: pool.submit(one, index, names[index]) for index in order}
            _follow(list(futures.values()), [_lines(workdir, index) for index in range(len(names))], progress)
            results = [futures[index].result() for index in range(len(names))]
        except BaseException:
            stop.touch()
            pool.shutdown(cancel_futures=True)
            raise
    return combine(line, results, project=project, terms=terms, wall_s=time.perf_counter() - begun)


def _follow(
    futures: "list[Future[PolicyResult]]", files: list[Path], progress: Callable[[Progress], None] | None
) -> None:
    """Tell what the children write until all are done; raise what the first of them raised."""
    read = dict.fromkeys(files, 0)
    is_over = False
    while not is_over:
        done, waiting = wait(futures, timeout=_LOOK_S, return_when=FIRST_EXCEPTION)
        is_over = not waiting
        for file in files:
            lines = file.read_text(encoding="utf-8").split("\n")[:-1]
            for line in lines[read[file] :]:
                if progress is not None:
                    progress(msgspec.convert(json.loads(line), Progress))
            read[file] = len(lines)
        for future in done:
            future.result()


def _tell_the_end(known: PolicyResult, file: Path) -> None:
    """Write the progress of a replay that was made before: its last step."""
    last = known.steps[-1]
    told = Progress(
        policy=known.policy, done=len(known.steps), steps=len(known.steps), now=last.end, because=last.turn.because
    )
    file.write_text(json.dumps(asdict(told)) + "\n", encoding="utf-8")


def _lines(workdir: Path, index: int) -> Path:
    return workdir / f"progress{index}.jsonl"


def _shared_out(environment: Mapping[str, str], *, at_once: int) -> dict[str, str]:
    """Return the environment with as many threads as each child may have: too many spin against each other."""
    threads = str(max(1, (os.cpu_count() or 1) // at_once))
    return {**dict.fromkeys(_THREADS, threads), **environment}


def _accepted(name: str, result: ChildResult, limits: Limits) -> PolicyResult:
    if result.ended == "exited" and result.answer is not None and "ok" in result.answer:
        return msgspec.convert(result.answer["ok"], PolicyResult)
    what = f"the replay of '{name}'"
    hint: str | None = "see its output"
    if result.ended == "timed out":
        message = f"{what} was stopped after {result.duration_s:.0f} s"
        hint = "raise train.timeout, or take a longer step"
    elif result.ended == "out of memory":
        message = f"{what} was stopped: it used {result.peak_bytes / 1e6:.0f} MB, its limit is {limits.memory_bytes / 1e6:.0f} MB"
        hint = "raise train.memory, or train on fewer rows (train.window, train.max_rows)"
    elif result.answer is not None:
        error = result.answer["error"]
        message, hint = f"{what} failed: {error['message']}", error["hint"] or hint
    else:
        message = f"{what} ended by itself with exit code {result.exit}"
    last = [line for line in result.log.strip().splitlines() if line.strip()][-_LAST_LINES:]
    shown = "\nits last lines:\n" + "\n".join(f"  {line[:300]}" for line in last) if last else ""
    raise JobFailed(message, hint=f"{hint}{shown}")
