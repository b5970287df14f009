"""Where traces are kept."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from homeostat.core.traces import Assessment, Span, Trace, TraceQuery


class TraceStore(Protocol):
    def put(self, trace: Trace) -> None:
        """Insert or replace the trace; its tags, metadata and assessments are added to those that are there."""

    def get(self, trace_id: str) -> Trace: ...
    def find(self, trace_id: str) -> Trace | None: ...
    def many(self, trace_ids: Sequence[str]) -> list[Trace]:
        """Return those that exist, in the order asked for."""

    def search(self, query: TraceQuery) -> list[Trace]: ...
    def ids(
        self,
        *,
        experiment_id: str,
        until: datetime | None = None,
        limit: int | None = None,
        trace_ids: Sequence[str] | None = None,
    ) -> list[str]:
        """Return the ids of an experiment's traces, oldest first, narrowed to those started at or before `until` or named."""

    def delete(self, trace_ids: Sequence[str]) -> int:
        """Delete traces with all that belongs to them; return how many there were."""

    def set_tag(self, trace_id: str, key: str, value: str) -> None: ...
    def delete_tag(self, trace_id: str, key: str) -> None: ...
    def link(self, trace_ids: Iterable[str], kind: str, targets: Iterable[str]) -> None:
        """Note that traces belong to runs (kind `run`, by id) or used prompts (kind `prompt`, as name/version). Twice is as once."""

    def put_spans(self, found: Iterable[Span]) -> None: ...
    def spans(self, trace_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the contents of each trace's spans as JSON texts, earliest first."""

    def count_spans(self, trace_ids: Sequence[str]) -> dict[str, int]: ...
    def put_assessment(self, assessment: Assessment) -> None: ...
    def find_assessment(self, trace_id: str, assessment_id: str) -> Assessment | None: ...
    def set_valid(self, trace_id: str, assessment_id: str, *, valid: bool) -> bool:
        """Say whether an assessment still counts; return whether there is one."""

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None: ...
