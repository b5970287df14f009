"""Dates and times written as text: which formats there are, and which ones a column is written in."""

import polars as pl

_DAY_FORMS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%B %d, %Y",
)
_TIME_FORMS = ("", " %H:%M", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p")
_ISO_FORMS = (
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f UTC",
)
FORMATS = (*(day + time for day in _DAY_FORMS for time in _TIME_FORMS), *_ISO_FORMS)

# Something like a date: two or three groups of digits or a month's name, with separators, before anything else.
_SHAPE = r"^\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{1,4}|^[A-Za-z]{3,9} \d{1,2}, \d{4}"
_SAMPLE = 200


def parse(values: pl.Series, form: str) -> pl.Series:
    """Return the moments that the texts say in one format, null where they do not; without a zone they are taken as UTC."""
    parsed = values.str.to_datetime(form, strict=False, time_unit="us")
    if isinstance(parsed.dtype, pl.Datetime) and parsed.dtype.time_zone is None:
        return parsed.dt.replace_time_zone("UTC")
    return parsed.dt.convert_time_zone("UTC")


def formats_of(values: pl.Series) -> dict[str, int]:
    """Return the formats that together read all of the texts, with the number of distinct texts that each read: best first.

    Empty where some text is no date in any known format. A format that reads no text which an earlier one did not read is left out,
    save that a second format reading everything is kept: day and month cannot be told apart then.
    """
    texts = values.drop_nulls().unique()
    if texts.is_empty() or not _looks_like_dates(texts):
        return {}
    head = texts.head(_SAMPLE)
    likely = [form for form in FORMATS if parse(head, form).null_count() < len(head)]
    read_by = {form: parse(texts, form).is_not_null() for form in likely}
    whole = [form for form, read in read_by.items() if read.all()]
    if whole:
        return dict.fromkeys(whole, len(texts))
    return _cover(texts, {form: parse(texts, form).is_not_null() for form in FORMATS})


def _looks_like_dates(texts: pl.Series) -> bool:
    head = texts.head(_SAMPLE)
    return bool(head.str.contains(_SHAPE).mean() == 1.0)


def _cover(texts: pl.Series, read_by: dict[str, pl.Series]) -> dict[str, int]:
    """Return formats that together read all texts, chosen greedily, or nothing."""
    left = pl.repeat(True, len(texts), eager=True)
    chosen: dict[str, int] = {}
    while left.any():
        counts = {form: int((read & left).sum()) for form, read in read_by.items()}
        best = max(counts, key=lambda form: counts[form])
        if not counts[best]:
            return {}
        chosen[best] = int(read_by[best].sum())
        left = left & ~read_by[best]
    return chosen


def readable(form: str) -> str:
    """Return a format as people write it.

    >>> readable("%d/%m/%Y %H:%M:%S%.f")
    'DD/MM/YYYY HH:MM:SS'
    """
    words = {
        "%Y": "YYYY", "%m": "MM", "%d": "DD", "%b": "Mon", "%B": "Month", "%H": "HH", "%I": "HH", "%M": "MM", "%S": "SS",
        "%.f": "", "%p": "AM/PM", "%#z": "+ZZ:ZZ",
    }  # fmt: skip
    for code, word in words.items():
        form = form.replace(code, word)
    return form
