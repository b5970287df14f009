"""Every method's rate of errors where nothing moved, from 100 to 1,000,000 rows, beside what it promises, and what it sees: `rates.py [WORD]`.

WORD: only studies of that name or family (`energy`, `canary`); `--sizes 100,1000`: only these; `--jobs N`: processes (the machine's cores). The studies are
those of tests/rates, with their seeds: what is found does not depend on the processes. A rate is beside the interval in which a binomial with the nominal
rate lies but for one time in 1,000; `at most`: a nominal that may be kept by less. All of them take the better part of an hour of two cores. Exit code 1
where a rate is outside or a change was seen less often than it must be.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.rates.rate import Rate, Study
from tests.rates.studies import STUDIES

POWER = 0  # beside the sizes: the cell of what is seen
Cells = dict[int, Rate | tuple[int, int]]


def measured(number: int, n: int) -> Rate | tuple[int, int]:
    """Measure one cell of a study's row."""
    study = STUDIES[number]
    if n != POWER:
        return study.null(n)
    assert study.power is not None
    return study.power.seen()


def told(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.share:.3g} ({low:.2g}-{high:.2g})" + ("" if rate.is_kept else " MISSED")


def row(study: Study, sizes: list[int], cells: Cells) -> dict:
    """Say one study's row of the table."""
    rates = {n: found for n, found in cells.items() if isinstance(found, Rate)}
    first = next(iter(rates.values()))
    nominal = ("at most " if first.is_ceiling else "") + f"{first.nominal:.3g}"
    seen = cells.get(POWER)
    power = f"{seen[0]} of {seen[1]}: {study.power.change}" if study.power and isinstance(seen, tuple) else ""
    told_rates = [told(rates[n]) if n in rates else "" for n in sizes]
    print(
        "| " + " | ".join([study.family, study.name, nominal, *told_rates, power]) + " |", file=sys.stderr, flush=True
    )
    missed = [f"{study.id}, n = {n}: {rate}" for n, rate in rates.items() if not rate.is_kept]
    if study.power and isinstance(seen, tuple) and seen[0] < study.power.least * seen[1]:
        missed.append(f"{study.id}: {power}, {study.power.least:.0%} wanted")
    found = {n: {"alarms": rate.alarms, "tries": rate.tries, "nominal": rate.nominal} for n, rate in rates.items()}
    return {"study": study.id, "rates": found, "power": seen, "missed": missed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="", help="only studies with this word in family or name")
    parser.add_argument("--sizes", default="100,1000,10000,1000000")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    sizes = [int(n) for n in given.sizes.split(",")]
    wanted = [number for number, study in enumerate(STUDIES) if given.word in study.id]
    cells: dict[int, Cells] = {number: {} for number in wanted}
    start = time.monotonic()
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        # the longest first, so that the end is not one process's
        asked: dict[Future[Rate | tuple[int, int]], tuple[int, int]] = {
            pool.submit(measured, number, n): (number, n)
            for n in sorted([*sizes, POWER], reverse=True)
            for number in wanted
            if n in STUDIES[number].sizes or (n == POWER and STUDIES[number].power)
        }
        for done, future in enumerate(as_completed(asked), start=1):
            number, n = asked[future]
            cells[number][n] = future.result()
            at = f"{STUDIES[number].id}, {f'n = {n:,}' if n else 'power'}"
            print(f"{time.monotonic() - start:6.0f} s, {done} of {len(asked)}: {at}", file=sys.stderr, flush=True)
    print("| of | method | nominal | " + " | ".join(f"n = {n:,}" for n in sizes) + " | seen |", file=sys.stderr)
    print("|---|---|--:|" + "--:|" * len(sizes) + "---|", file=sys.stderr)
    rows = [row(STUDIES[number], sizes, cells[number]) for number in wanted if any(n in cells[number] for n in sizes)]
    missed = [each for found in rows for each in found.pop("missed")]
    for each in missed:
        print(f"MISSED {each}", file=sys.stderr)
    print(json.dumps({"bench": "rates", "seconds": round(time.monotonic() - start), "found": rows, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
