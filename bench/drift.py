"""Drift reports and profiles, beside a floor and every peer that is installed: `drift.py [--peers DIR] [--large ROWS] [--huge ROWS]`.

20 columns (10 normal, 5 whole numbers, 5 of 30 categories) in Parquet. A report: from two files to a page with every column's distance
(Wasserstein, Jensen-Shannon) and picture. A profile: one file in pieces. Checks: five rules on each of 40 columns, 100,000 rows in memory.
Everything runs in a process of its own, is warmed up with 1,000 rows, and counts the processor time of all its threads, and how
far its memory rose above what it held then; reading is part of it. Peers run from environments of their own, DIR/NAME/bin/python (evidently,
nannyml: reports; whylogs: profiles; pandera: checks). The floor reads, sorts and counts, no more. The best of --rounds counts.

--large adds a report by profiles over so many rows on each side (10,000,000: about two minutes). --huge adds the profile of a tenth of so many
rows and of all of them, in files of 5,000,000 (100,000,000: 5.5 GB in --folder, which are deleted afterwards), and a report of that tenth against all,
by its kept profile: memory must stay below a gigabyte and rise by less than a tenth from one to ten times the rows, time a row by less than a quarter.
--wide adds profiles of 100 and of 1,000 columns, 100,000 rows: time a column must not rise by more than a quarter. Exit code 1 where a reach is not met.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent / "peers"
PEERS = {"evidently": "report", "nannyml": "report", "whylogs": "profile", "pandera": "checks"}
MOST = {"report 100k": {"cpu_s": 0.30}, "report 1M": {"cpu_s": 1.2, "extra_mb": 100.0}, "checks": {"cpu_s": 0.5}}
LEAST = {"profile": 10e6}
LARGE_MB = 1000.0
MORE = {"extra_mb": 1.1, "s_a_value": 1.25}  # ten times the rows or columns, against one time
PIECE = 5_000_000  # rows in a file


def table(rows: int, seed: int, *, shift: float = 0.0, times: int = 1) -> pl.DataFrame:
    """Return rows of 20 columns, `times` over; the first is shifted."""
    rng = np.random.default_rng(seed)
    names = [f"value {i}" for i in range(30)]
    columns: dict[str, np.ndarray] = {}
    for k in range(times):
        columns |= {f"x{k}_{i}": rng.normal(shift if i == 0 else 0.0, 1.0, rows) for i in range(10)}
        columns |= {f"n{k}_{i}": rng.integers(0, 1_000, rows) for i in range(5)}
        columns |= {f"c{k}_{i}": rng.choice(names, rows) for i in range(5)}
    return pl.DataFrame(columns)


def write_large(path: Path, rows: int, seed: int, *, shift: float = 0.0) -> None:
    """Write as many rows, a million at a time."""
    import pyarrow.parquet as pq

    writer = None
    for start in range(0, rows, 1_000_000):
        part = table(min(1_000_000, rows - start), seed + start, shift=shift).to_arrow()
        writer = writer or pq.ParquetWriter(path, part.schema)
        writer.write_table(part)
    writer.close()


def write_huge(folder: Path, rows: int) -> None:
    """Write as many rows of 20 columns in single precision and words, as files of five million in row groups of half a million."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    rng = np.random.default_rng(0)
    names = pa.array([f"value {i}" for i in range(30)])
    for start in range(0, rows, PIECE):
        writer = None
        for at in range(start, min(rows, start + PIECE), 500_000):
            n = min(500_000, rows - at)
            columns = {f"x{i}": pa.array(rng.standard_normal(n, dtype=np.float32)) for i in range(10)}
            columns |= {f"n{i}": pa.array(rng.integers(0, 1_000, n, dtype=np.int32)) for i in range(5)}
            codes = {f"c{i}": pa.array(rng.integers(0, 30, n, dtype=np.int8)) for i in range(5)}
            columns |= {name: pa.DictionaryArray.from_arrays(each, names) for name, each in codes.items()}
            part = pa.table(columns)
            writer = writer or pq.ParquetWriter(folder / f"{start:010}.parquet", part.schema, compression="zstd")
            writer.write_table(part)
        writer.close()


def run(python: Path | str, script: str, what: str, *given: Path, rounds: int) -> dict:
    """Return what a contestant measured, the least of some rounds; empty where it failed."""
    best: dict = {}
    for _ in range(rounds):
        done = subprocess.run(
            [str(python), str(HERE / f"drift_{script}.py"), what, *map(str, given)],
            capture_output=True,
            text=True,
            timeout=3_600,
            check=False,
        )
        if done.returncode:
            print(f"   {script} {what} failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            return {}
        found = json.loads(done.stdout.strip().splitlines()[-1])
        best = found if not best else {key: min(value, best[key]) for key, value in found.items()}
    return best


def line(what: str, name: str, found: dict, ours: dict) -> None:
    if not found:
        return
    per_s = f"{found['values'] / found['cpu_s'] / 1e6:7.1f} M values/s" if "values" in found else ""
    page = f"page {found['html_kb']:7,.0f} KB" if "html_kb" in found else ""
    ratio = f"{found['cpu_s'] / ours['cpu_s']:8.1f} x ours' CPU" if ours else ""
    print(
        f"{what:14} {name:10} CPU {found['cpu_s']:8.3f} s  memory +{found['extra_mb']:6.0f} MB  {per_s}{page} {ratio}",
        file=sys.stderr,
        flush=True,
    )


class Contest:
    """Who takes part, and what was measured: by label, then by name."""

    def __init__(self, peers: Path | None, rounds: int) -> None:
        found = {name: peers / name / "bin" / "python" for name in PEERS} if peers else {}
        self.pythons = {name: path.absolute() for name, path in found.items() if path.exists()}
        self.rounds = rounds
        self.results: dict[str, dict[str, dict]] = {}

    def ours(self, label: str, what: str, *given: Path, floor: tuple[Path, ...] = ()) -> None:
        rounds = 1 if label == "large" or label.startswith("huge") else self.rounds
        row = self.results[label] = {"ours": run(sys.executable, "ours", what, *given, rounds=rounds)}
        line(label, "ours", row["ours"], row["ours"])
        if floor:
            row["floor"] = run(sys.executable, "floor", what, *floor, rounds=rounds)
            line(label, "floor", row["floor"], row["ours"])

    def peers(self, label: str, what: str, *given: Path) -> None:
        """Measure each peer once: they take seconds to minutes."""
        for name, python in self.pythons.items():
            if PEERS[name] == what:
                found = self.results[label][name] = run(python, name, what, *given, rounds=1)
                line(label, name, found, self.results[label]["ours"])

    def missed(self) -> list[str]:
        found = [
            f"{label}.{key} {self.results[label]['ours'][key]:,.2f} > {most}"
            for label, reach in MOST.items()
            for key, most in reach.items()
            if self.results[label]["ours"][key] > most
        ]
        profile = self.results["profile"]["ours"]
        speed = profile["values"] / profile["cpu_s"]
        if speed < LEAST["profile"]:
            found.append(f"profile {speed / 1e6:.1f} M values/s < {LEAST['profile'] / 1e6:g}")
        for few, many in (("huge tenth", "huge"), ("wide tenth", "wide")):
            if many in self.results:
                found += self.rises(self.results[few]["ours"], self.results[many]["ours"], many)
        if "huge" in self.results and self.results["huge"]["ours"]["extra_mb"] > LARGE_MB:
            found.append(f"huge.extra_mb {self.results['huge']['ours']['extra_mb']:,.0f} > {LARGE_MB:g}")
        if "large" in self.results and self.results["large"]["ours"]["extra_mb"] > LARGE_MB:
            found.append(f"large.extra_mb {self.results['large']['ours']['extra_mb']:,.0f} > {LARGE_MB:g}")
        return found

    def rises(self, few: dict, many: dict, label: str) -> list[str]:
        """Return what grows by more than it may from one to ten times the work; memory with the rows alone."""
        a_value = [each["cpu_s"] / each["values"] for each in (few, many)]
        found = {"s_a_value": a_value[1] / a_value[0]}
        if label == "huge":
            found["extra_mb"] = many["extra_mb"] / few["extra_mb"]
        told = ", ".join(f"{key} x {value:.2f}" for key, value in found.items())
        print(f"{label:14} ten times the work: {told}", file=sys.stderr)
        return [f"{label}.{key} rises {value:.2f} > {MORE[key]}" for key, value in found.items() if value > MORE[key]]


def hold_huge(contest: Contest, folder: Path, rows: int, small: Path) -> None:
    """Measure a tenth and all of the rows, and the kept profile of the tenth against all."""
    tenth, whole = folder / "tenth", folder / "huge"
    write_huge(tenth, rows // 10)
    write_huge(whole, rows)
    contest.ours("huge tenth", "profile", tenth / "*.parquet", small)
    contest.ours("huge", "profile", whole / "*.parquet", small)
    contest.ours(
        "huge report", "profiles", Path(f"{tenth}/*.parquet.json"), whole / "*.parquet", folder / "page.html", small
    )


def hold_wide(contest: Contest, folder: Path, small: Path) -> None:
    for label, times in (("wide tenth", 5), ("wide", 50)):
        path = folder / f"{label}.parquet"
        table(100_000, 0, times=times).write_parquet(path)
        contest.ours(label, "profile", path, small)


def hold(contest: Contest, folder: Path, large: int, huge: int, *, wide_too: bool) -> None:
    """Measure ours first, then the peers, the quick ones before the slow."""
    small, page, wide, few = (folder / name for name in ("small.parquet", "page.html", "wide.parquet", "few.parquet"))
    table(1_000, 9).write_parquet(small)
    table(100_000, 0, times=2).write_parquet(wide)
    table(1_000, 0, times=2).write_parquet(few)
    pairs = {}
    for label, rows in (("100k", 100_000), ("1M", 1_000_000)):
        old, new = pairs[label] = folder / f"old{label}.parquet", folder / f"new{label}.parquet"
        table(rows, 0).write_parquet(old)
        table(rows, 1, shift=0.3).write_parquet(new)
        contest.ours(f"report {label}", "report", old, new, page, small, floor=(old, new, small))
    contest.ours("profiles 1M", "profiles", *pairs["1M"], page, small)
    contest.ours("profile", "profile", pairs["1M"][0], small)
    contest.ours("checks", "checks", wide, few)
    if large:
        old, new = folder / "old.parquet", folder / "new.parquet"
        write_large(old, large, 0)
        write_large(new, large, 5, shift=0.3)
        contest.ours("large", "profiles", old, new, page, small)
    if wide_too:
        hold_wide(contest, folder, small)
    if huge:
        hold_huge(contest, folder, huge, small)
    contest.peers("checks", "checks", wide, few)
    contest.peers("report 100k", "report", *pairs["100k"], page, small)
    contest.peers("profile", "profile", pairs["1M"][0], small)
    contest.peers("report 1M", "report", *pairs["1M"], page, small)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="a folder of environments, NAME/bin/python each")
    parser.add_argument("--large", type=int, default=0, help="rows of each side of a report by profiles")
    parser.add_argument("--huge", type=int, default=0, help="rows of a profile of many files")
    parser.add_argument("--wide", action="store_true", help="profiles of 100 and 1,000 columns")
    parser.add_argument("--folder", type=Path, help="where to write the files, in a folder of its own that is deleted")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    contest = Contest(options.peers, options.rounds)
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        hold(contest, Path(temporary), options.large, options.huge, wide_too=options.wide)
    missed = contest.missed()
    for each in missed:
        print(f"MISSED {each}", file=sys.stderr)
    rounded = {
        label: {name: {key: round(value, 4) for key, value in found.items()} for name, found in row.items()}
        for label, row in contest.results.items()
    }
    print(json.dumps({"bench": "drift", "found": rounded, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
