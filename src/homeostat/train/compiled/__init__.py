"""The compiled form of a model: the same answers in microseconds, from a runtime that needs nothing of what trained it.

It lies beside the original in the package, in `compiled/`: `model.onnx`, `plan.json` (how rows become its inputs, and its outputs answers)
and `report.json` (how it was compared with the original). It is there only where it agreed; a report without a model says why not.
"""
