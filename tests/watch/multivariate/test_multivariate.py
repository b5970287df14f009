import pkgutil
from pathlib import Path

import pytest

from homeostat.core.errors import NotFound
from homeostat.watch import estimates, multivariate
from homeostat.watch.estimates import estimators
from homeostat.watch.multivariate import joint_methods


@pytest.mark.parametrize("package", [multivariate, estimates], ids=["multivariate", "estimates"])
def test_every_plug_in_has_a_test(package):
    folder = Path(__file__).parents[1] / package.__name__.rpartition(".")[2]
    for module in pkgutil.iter_modules(package.__path__):
        assert (folder / f"test_{module.name}.py").exists(), module.name


def test_an_unknown_name_is_told_with_near_ones():
    from homeostat.core.columns import Task

    with pytest.raises(NotFound, match="no drift method 'mdm'"):
        joint_methods(["mdm"])
    with pytest.raises(NotFound, match="no estimator 'cbp'"):
        estimators(["cbp"], task=Task.BINARY, metric="accuracy")
