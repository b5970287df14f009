"""Every method's rate of errors where nothing moved, from 100 to 1,000,000 rows, beside what it promises, and what it sees: `rates.py [WORD]`.

WORD: only studies of that name or family (`energy`, `canary`); `--sizes 100,1000`: only these. The studies are those of tests/rates, with their seeds. A rate is
beside the interval in which a binomial with the nominal rate lies but for one time in 1,000; `at most`: a nominal that may be kept by less. All of them
take about a quarter of an hour of one core. Exit code 1 where a rate is outside or a change was seen less often than it must be.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.rates.rate import Rate, Study
from tests.rates.studies import STUDIES


def told(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.share:.3g} ({low:.2g}-{high:.2g})" + ("" if rate.is_kept else " MISSED")


def row(study: Study, sizes: list[int]) -> dict:
    """Measure one study and say its row of the table."""
    rates = {n: study.null(n) for n in sizes if n in study.sizes}
    first = next(iter(rates.values()))
    nominal = ("at most " if first.is_ceiling else "") + f"{first.nominal:.3g}"
    seen = "" if study.power is None else study.power.seen()
    power = f"{seen[0]} of {seen[1]}: {study.power.change}" if study.power else ""
    cells = [told(rates[n]) if n in rates else "" for n in sizes]
    print("| " + " | ".join([study.family, study.name, nominal, *cells, power]) + " |", file=sys.stderr, flush=True)
    missed = [f"{study.id}, n = {n}: {rate}" for n, rate in rates.items() if not rate.is_kept]
    if study.power and seen[0] < study.power.least * seen[1]:
        missed.append(f"{study.id}: {power}, {study.power.least:.0%} wanted")
    found = {n: {"alarms": rate.alarms, "tries": rate.tries, "nominal": rate.nominal} for n, rate in rates.items()}
    return {"study": study.id, "rates": found, "power": seen, "missed": missed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="", help="only studies with this word in family or name")
    parser.add_argument("--sizes", default="100,1000,10000,1000000")
    given = parser.parse_args()
    sizes = [int(n) for n in given.sizes.split(",")]
    print("| of | method | nominal | " + " | ".join(f"n = {n:,}" for n in sizes) + " | seen |", file=sys.stderr)
    print("|---|---|--:|" + "--:|" * len(sizes) + "---|", file=sys.stderr)
    rows = [row(study, sizes) for study in STUDIES if given.word in study.id]
    missed = [each for found in rows for each in found.pop("missed")]
    for each in missed:
        print(f"MISSED {each}", file=sys.stderr)
    print(json.dumps({"bench": "rates", "found": rows, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
