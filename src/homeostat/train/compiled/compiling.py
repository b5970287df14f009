"""Compiling a package: convert, compare, and keep the compiled form where it agrees. Never a reason for a training to fail."""

import logging
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from homeostat.train.compiled.agreement import TOLERANCE, Report, compare
from homeostat.train.compiled.converter import NotConvertible
from homeostat.train.compiled.converters import converter_of
from homeostat.train.compiled.plan import FOLDER, MODEL, PLAN, REPORT
from homeostat.train.compiled.session import CompiledModel
from homeostat.train.frames import conform
from homeostat.train.package import Package, predict

log = logging.getLogger(__name__)
_LIBRARIES = ("onnx", "onnxruntime", "skl2onnx", "onnxmltools")
_NEEDED = ("onnx", "onnxruntime")


def compile_package(folder: Path, package: Package, held_out: pl.DataFrame) -> Report:
    """Return the report, written into the package; the model beside it where it agrees on all rows."""
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    report, content, plan = _compiled(package, held_out)
    if report.is_used:
        (place / MODEL).write_bytes(content)
        (place / PLAN).write_bytes(plan)
    (place / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    log.info("compiled.report", extra={"used": report.is_used, "because": report.because})
    return report


def _compiled(package: Package, held_out: pl.DataFrame) -> tuple[Report, bytes, bytes]:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        return _no(f"{missing[0]} is not installed: pip install 'homeostat[onnx]'"), b"", b""
    converter = converter_of(package.model)
    if converter is None:
        return _no(f"no converter takes a {type(package.model).__name__}"), b"", b""
    if held_out.is_empty():
        return _no("there are no rows to compare it on"), b"", b""
    rows = conform(held_out, package.signature.columns)
    try:
        made = converter.convert(package.model, package.signature)
        model = CompiledModel(made.content, made.plan, package.signature)
        worst, edges = compare(model, lambda frame: predict(package, frame), rows, package.signature)
    except NotConvertible as reason:
        return _no(str(reason), converter=converter.name), b"", b""
    except Exception as error:  # noqa: BLE001 - border: converters and runtimes of foreign models raise what they like; the original serves
        return _no(f"{type(error).__name__}: {str(error)[:300]}", converter=converter.name), b"", b""
    agrees = worst.difference <= TOLERANCE and not worst.labels
    because = (
        f"it agrees on all {worst.rows} rows, to {worst.difference:.2g}"
        if agrees
        else f"it differs by up to {worst.difference:.3g} ({TOLERANCE:g} is allowed), and in {worst.labels} of {worst.rows} labels"
    )
    report = Report(
        is_used=agrees,
        because=because,
        converter=converter.name,
        rows=worst.rows - edges,
        edge_rows=edges,
        worst=worst.difference,
        worst_row=worst.row,
        labels_differ=worst.labels,
        versions=_versions(),
    )
    return report, made.content, msgspec.json.encode(made.plan)


def _no(because: str, *, converter: str | None = None) -> Report:
    return Report(is_used=False, because=because, converter=converter, versions=_versions())


def _versions() -> dict[str, str]:
    found: dict[str, Any] = {name: metadata.version(name) for name in _LIBRARIES if find_spec(name) is not None}
    return found
