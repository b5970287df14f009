from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Column, Kind, Roles, Signature, Task

KINDS = {
    "amount": Kind.FLOAT,
    "count": Kind.INTEGER,
    "vip": Kind.BOOLEAN,
    "city": Kind.CATEGORY,
    "signed": Kind.DATETIME,
    "note": Kind.TEXT,
}
ROLES = Roles(target="late", time="at")
CLASSES = {
    Task.BINARY: ("no", "yes"),
    Task.MULTICLASS: ("a", "b", "c"),
    Task.REGRESSION: (),
}


def _rows(n=300, *, task=Task.BINARY, seed=0):
    """Rows with every kind of column, nulls in most of them, and a target that depends on amount and city."""
    rng = np.random.default_rng(seed)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    amount = rng.normal(size=n)
    city = rng.integers(4, size=n)
    latent = 1.5 * amount + (city == 2) + rng.normal(scale=0.7, size=n)
    match task:
        case Task.BINARY:
            target = ["yes" if value > 0.3 else "no" for value in latent]
        case Task.MULTICLASS:
            target = ["abc"[int(value > -0.5) + int(value > 1)] for value in latent]
        case _:
            target = latent.tolist()
    return pl.DataFrame(
        {
            "at": [start + timedelta(hours=i) for i in range(n)],
            "amount": [None if i % 17 == 0 else v for i, v in enumerate(amount.tolist())],
            "count": rng.integers(100, size=n).tolist(),
            "vip": [None if i % 11 == 0 else bool(v) for i, v in enumerate(rng.integers(2, size=n))],
            "city": [None if i % 13 == 0 else ["Rome", "Oslo", "Łódź", "Paris"][c] for i, c in enumerate(city)],
            "signed": [
                None if i % 7 == 0 else start - timedelta(days=int(d)) for i, d in enumerate(rng.integers(900, size=n))
            ],
            "note": ["x" * int(k) for k in rng.integers(30, size=n)],
            "late": target,
        }
    )


def _signature(task=Task.BINARY):
    columns = tuple(
        Column(name=name, kind=kind, nullable=name not in {"count", "note"}) for name, kind in KINDS.items()
    )
    return Signature(task=task, columns=columns, target="late", classes=CLASSES[task])


@pytest.fixture
def rows():
    return _rows


@pytest.fixture
def signature():
    return _signature


@pytest.fixture
def kinds():
    return dict(KINDS)


@pytest.fixture
def roles():
    return ROLES
