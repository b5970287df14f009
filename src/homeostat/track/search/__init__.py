"""The language that runs, experiments and models are searched in: text to checked conditions. Pure.

    metrics.auc > 0.9 and params.`max depth` = '3' and tags.team LIKE 'a%' and attributes.run_id IN ('1', '2') and tags.x IS NULL

A `Language` says which entities, attributes and comparisons there are; `languages.py` holds those of runs and experiments.
"""

from homeostat.track.search.language import Language
from homeostat.track.search.parse import parse_filter, parse_order

__all__ = ["Language", "parse_filter", "parse_order"]
