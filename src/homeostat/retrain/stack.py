"""A stack of past champions: versions that were fitted at different times answer together, with weights learned from the newest labels.

After a change that comes back, or one that is still under way, an older version is often right where the newest is not. The weights cost
no fit of a model: they are found anew whenever labels come. Sources: D. H. Wolpert (1992), "Stacked generalization", Neural Networks 5;
L. Breiman (1996), "Stacked regressions", Machine Learning 24 (how to weigh); J. Z. Kolter and M. A. Maloof (2007), "Dynamic weighted
majority", JMLR 8 (experts of different ages under concept drift).

Only rows that no member has seen in its training may teach the weights: on its own training rows the newest member looks better than it
is. While there are none, the newest answers alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LEAST_PROBABILITY = 1e-3
_ROUNDS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """`weights`: of shape (members,), oldest first. `offsets`: (classes,) added to the weighted log-probabilities; (1,) to a number."""

    weights: Floats
    offsets: Floats


def newest_alone(members: int, *, width: int) -> Stack:
    """Return the stack in which only the newest of the members answers; `width`: the number of classes, 1 for a regression."""
    weights = np.zeros(members)
    weights[-1] = 1.0
    return Stack(weights, np.zeros(width))


def probabilities(stack: Stack, answers: Floats) -> Floats:
    """Return the stack's probabilities, of shape (rows, classes), from those of its members, (members, rows, classes).

    >>> answers = np.array([[[0.9, 0.1]], [[0.2, 0.8]]])
    >>> probabilities(newest_alone(2, width=2), answers).round(3).tolist()
    [[0.2, 0.8]]
    """
    return _softmax(_logits(stack, _logs(answers)))


def numbers(stack: Stack, answers: Floats) -> Floats:
    """Return the stack's numbers, of shape (rows,), from those of its members, (members, rows).

    >>> numbers(Stack(np.array([0.5, 0.5]), np.array([1.0])), np.array([[2.0], [4.0]])).tolist()
    [4.0]
    """
    return np.asarray(stack.weights @ answers + stack.offsets[0], dtype=np.float64)


def of_probabilities(answers: Floats, truth: npt.NDArray[np.intp], *, pull: float = 10.0, steady: float = 5.0) -> Stack:
    """Return the weights and class offsets of least penalised log loss on labelled rows that no member was trained on.

    `answers`: probabilities of shape (members, rows, classes); `truth`: the index of each row's class. The penalty draws towards the
    newest member alone: `pull` for the weights, `steady` for the offsets, both in nats for a distance of one: the fewer the rows, the
    less is moved. No rows: the newest alone. Logistic pooling: the weighted sum is of log-probabilities.
    """
    from scipy.optimize import minimize

    members, rows, classes = answers.shape
    start = newest_alone(members, width=classes)
    if not rows:
        return start
    logs = _logs(answers)
    flat = logs.reshape(members, -1)
    wanted = np.eye(classes)[truth]

    def penalised(point: Floats) -> tuple[float, Floats]:
        moved, offsets = point[:members], point[members:]
        logits = np.tensordot(start.weights + moved, logs, 1) + offsets
        highest = logits.max(axis=1, keepdims=True)
        normaliser = highest[:, 0] + np.log(np.exp(logits - highest).sum(axis=1))
        loss = float(
            (normaliser - (logits * wanted).sum(axis=1)).sum() + pull * moved @ moved + steady * offsets @ offsets
        )
        excess = np.exp(logits - normaliser[:, None]) - wanted
        slope = np.concatenate([flat @ excess.ravel() + 2 * pull * moved, excess.sum(axis=0) + 2 * steady * offsets])
        return loss, slope

    found = minimize(penalised, np.zeros(members + classes), jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS})
    return Stack(start.weights + found.x[:members], np.asarray(found.x[members:], dtype=np.float64))


def of_numbers(answers: Floats, truth: Floats, *, pull: float = 10.0, steady: float = 5.0) -> Stack:
    """Return the weights and the offset of least penalised squared error on labelled rows that no member was trained on.

    `answers`: of shape (members, rows). The penalties are in units of the truth's mean square, so that the scale of the target does not
    matter. No rows: the newest alone.
    """
    members, rows = answers.shape
    start = newest_alone(members, width=1)
    if not rows:
        return start
    scale = float(np.mean(truth**2)) or 1.0
    design = np.column_stack([answers.T, np.full(rows, np.sqrt(scale))])
    missed = truth - start.weights @ answers
    penalty = np.diag(np.concatenate([np.full(members, pull), [steady]]) * scale)
    moved = np.linalg.solve(design.T @ design + penalty, design.T @ missed)
    return Stack(start.weights + moved[:members], np.array([moved[members] * np.sqrt(scale)]))


def _logs(answers: Floats) -> Floats:
    return np.asarray(np.log(np.clip(answers, _LEAST_PROBABILITY, 1.0)), dtype=np.float64)


def _logits(stack: Stack, logs: Floats) -> Floats:
    return np.asarray(np.tensordot(stack.weights, logs, 1) + stack.offsets, dtype=np.float64)


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)
