"""Why a model answered as it did: what each column of a row adds to the answer. Runs in a process of its own for each version."""
