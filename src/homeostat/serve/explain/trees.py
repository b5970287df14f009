"""Trees: exact Shapley values along their paths (Lundberg et al. 2020, "From local explanations to global understanding"), by shap."""

from typing import Any

import numpy as np

from homeostat.serve.explain.contributions import Contributions, Matrix
from homeostat.serve.explain.outputs import held
from homeostat.serve.explain.stages import Stages

_MODULES = ("sklearn.tree.", "sklearn.ensemble.", "xgboost.", "lightgbm.")


def are_trees(estimator: Any) -> bool:
    """Return whether shap is worth a try."""
    return any(kind.__module__.startswith(_MODULES) for kind in type(estimator).__mro__)


def explainer_of(stages: Stages) -> Any | None:
    """Return shap's explainer of the trees, None where it does not know them. The first call imports shap, which takes seconds.

    None also in a version's own environment that does not have shap: permutation explains it there.
    """
    try:
        import shap
    except ImportError:
        return None
    try:
        return shap.TreeExplainer(stages.estimator, feature_perturbation="tree_path_dependent")
    except Exception:  # noqa: BLE001 - shap raises what it likes where it does not know an estimator: then permutation explains it
        return None


def explained(explainer: Any, stages: Stages, features: Matrix, columns: int) -> Contributions | None:
    """Return the contributions, None where shap reads the trees otherwise than they answer (it knows no splits by categories)."""
    try:
        values = np.asarray(explainer.shap_values(features, check_additivity=False), dtype=np.float64)
        base = np.atleast_1d(np.asarray(explainer.expected_value, dtype=np.float64)).ravel()
    except Exception:  # noqa: BLE001 - as above
        return None
    values = values[:, :, None] if values.ndim == 2 else values
    if values.shape != (*features.shape, len(base)):
        return None
    return held("trees", stages, features, values=values, base=base, columns=columns)
