"""What NannyML's CBPE makes of synthetic answers: writes tests/watch/estimates/nannyml.json. Run it with a Python that has `nannyml`.

The rows come from `cases` below, which the test makes again from the same seeds: only numpy is needed there.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parents[2] / "tests" / "watch" / "estimates" / "nannyml.json"
METRICS = ("accuracy", "f1", "precision", "recall", "roc_auc")
REFERENCE, ANALYSIS, CHUNK = 6_000, 6_000, 2_000


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def case(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (n_rows, n_classes) and true classes (n_rows,) of the reference and then the analysis rows."""
    rng = np.random.default_rng(seed)
    classes = 2 if name.startswith("binary") else 3
    rows = REFERENCE + ANALYSIS
    moved = np.repeat([0.0, 0.7], [REFERENCE, ANALYSIS])[:, None]
    logits = rng.normal(0, 1.3, (rows, classes)) + moved * np.arange(classes)
    true = softmax(logits)
    sharpness = 2.5 if name.endswith("overconfident") else 0.5
    scores = softmax(logits * sharpness)
    truth = (rng.random((rows, 1)) > true.cumsum(axis=1)).sum(axis=1)
    return scores, np.minimum(truth, classes - 1)


CASES = {"binary overconfident": 1, "binary underconfident": 2, "three classes overconfident": 3}


def main() -> int:
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "True"
    warnings.simplefilter("ignore")
    import nannyml
    import pandas as pd

    found: dict[str, object] = {"nannyml": nannyml.__version__}
    for name, seed in CASES.items():
        scores, truth = case(name, seed)
        said = scores.argmax(axis=1)
        frame = pd.DataFrame({f"p{place}": scores[:, place] for place in range(scores.shape[1])})
        is_binary = scores.shape[1] == 2
        frame["said"], frame["truth"] = (said, truth) if is_binary else (said.astype(str), truth.astype(str))
        asked = nannyml.CBPE(
            problem_type="classification_binary" if is_binary else "classification_multiclass",
            y_pred_proba="p1" if is_binary else {str(place): f"p{place}" for place in range(scores.shape[1])},
            y_pred="said",
            y_true="truth",
            metrics=list(METRICS),
            chunk_size=CHUNK,
        )
        asked.fit(frame[:REFERENCE])
        told = asked.estimate(frame[REFERENCE:].drop(columns="truth").reset_index(drop=True))
        table = told.filter(period="analysis").to_df()
        found[name] = {metric: [round(float(v), 6) for v in table[(metric, "value")]] for metric in METRICS}
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
