"""What values are called that have no class of their own."""

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Frame: TypeAlias = Any  # a `polars.DataFrame`, which core does not import
