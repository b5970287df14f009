"""All studies, in the order of docs/figures.md."""

from tests.rates import charts, columns, groups, intervals, streams, together

STUDIES = [study for part in (columns, together, streams, charts, groups, intervals) for study in part.studies()]
