"""The wire format that the unmodified `mlflow` client speaks. Nothing below this package knows of it."""
