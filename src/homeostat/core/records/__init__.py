"""Nouns that are kept, each in the file of its stage: runs, data versions, model versions, routes, verdicts, cycles, events.

Payloads are JSON-ready values (dict, list, str, int, float, bool, None), so that every store can keep them. Times are UTC-aware.
"""
