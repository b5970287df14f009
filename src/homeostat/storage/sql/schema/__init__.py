"""The tables, one module per noun, all found here. Migrations in `migrations/` bring older databases to them; a test compares the two."""

import importlib
import pkgutil

from homeostat.storage.sql.schema.base import metadata

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["metadata"]
