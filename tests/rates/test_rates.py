"""Every method errs as often as it promises where nothing moved, from 100 to 1,000,000 rows, and sees what it must."""

import pytest
from tests.rates.rate import Rate
from tests.rates.studies import STUDIES


def test_a_rate_is_kept_within_chance_and_a_ceiling_by_less():
    assert Rate(alarms=5, tries=100, nominal=0.05).is_kept
    assert not Rate(alarms=20, tries=100, nominal=0.05).is_kept
    assert not Rate(alarms=0, tries=1_000, nominal=0.05).is_kept
    assert Rate(alarms=0, tries=1_000, nominal=0.05, is_ceiling=True).is_kept
    assert not Rate(alarms=200, tries=1_000, nominal=0.05, is_ceiling=True).is_kept


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("n", [100, 1_000, 10_000, 1_000_000])
@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.id)
def test_errors_without_a_change_are_as_many_as_promised(study, n):
    found = study.null(n)
    print(f"{study.id}, seeds of n = {n}: {found}")
    assert found.is_kept, found


@pytest.mark.long
@pytest.mark.parametrize("study", [study for study in STUDIES if study.power], ids=lambda study: study.id)
def test_a_stated_change_is_seen(study):
    seen, tries = study.power.seen()
    assert seen >= study.power.least * tries, f"{study.power.change}: {seen} of {tries}"
