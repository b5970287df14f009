"""A user at the command line, in a folder of their own, without a new process for each command."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat.cli.main import run
from homeostat.storage.sql.store import open_store


@dataclass
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        return json.loads(self.err)["error"]


class Unheard:
    """Stands for pytest's capture where nobody looks at what is said."""

    def readouterr(self) -> tuple[str, str]:
        return "", ""


@dataclass
class Shell:
    folder: Path
    capfd: pytest.CaptureFixture | Unheard
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str) -> Said:
        self.monkeypatch.setenv("HOMEOSTAT_JSON", "0")
        self.capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = self.capfd.readouterr()
        return Said(status, out, err)

    def ok(self, *arguments: str) -> Said:
        said = self(*arguments)
        assert said.status == 0, said.err
        return said

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}

    def init(self, frame: pl.DataFrame | None = None, *more: str, target: str = "bought") -> Said:
        (shop() if frame is None else frame).write_csv(self.folder / "shop.csv")
        said = self.ok("init", "shop.csv", "--target", target, *more)
        self.set(
            "infrastructure: true", "infrastructure: false"
        )  # a server for each candidate takes seconds; tested apart
        return said

    def set(self, default: str, value: str) -> None:
        """Change a commented default in homeostat.yaml, as its head says."""
        path = self.folder / "homeostat.yaml"
        lines = path.read_text().splitlines()
        at = next(i for i, line in enumerate(lines) if line.lstrip("# ").startswith(default))
        indent = len(lines[at].removeprefix("# ")) - len(lines[at].removeprefix("# ").lstrip())
        lines[at] = lines[at].removeprefix("# ").replace(default, value)
        for i in range(at - 1, -1, -1):
            bare = lines[i].removeprefix("# ")
            if bare.strip() and len(bare) - len(bare.lstrip()) < indent:
                lines[i], indent = bare, len(bare) - len(bare.lstrip())
            if not indent:
                break
        path.write_text("\n".join(lines) + "\n")

    @property
    def store(self):
        return open_store(f"sqlite:///{self.folder}/.homeostat/homeostat.db")


def shell_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture | Unheard) -> Shell:
    """Return a shell in a new folder, which is the working directory until the patch is undone."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HOMEOSTAT_PROJECT", raising=False)
    monkeypatch.delenv("HOMEOSTAT_DATABASE", raising=False)
    return Shell(folder=folder, capfd=capfd, monkeypatch=monkeypatch)


def shop(rows: int = 400, seed: int = 0) -> pl.DataFrame:
    """A year of a shop's visitors: whether they bought depends on price and channel."""
    rng = np.random.default_rng(seed)
    price = rng.gamma(4.0, 10.0, rows).round(2)
    channel = rng.choice(["web", "mail", "street"], rows)
    odds = 8.0 - 0.25 * price + np.where(channel == "web", 4.0, 0.0)
    bought = np.where(rng.uniform(size=rows) < 1 / (1 + np.exp(-odds)), "yes", "no")
    day = pl.datetime_range(
        pl.datetime(2024, 1, 1), pl.datetime(2024, 12, 30), interval="1d", eager=True, time_zone="UTC"
    )
    return pl.DataFrame(
        {
            "visited": [day[i * len(day) // rows] for i in range(rows)],
            "price": price,
            "channel": channel,
            "age": rng.integers(18, 80, rows),
            "bought": bought,
        }
    )
