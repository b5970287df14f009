"""What homeostat.yaml says about the data."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from homeostat.core.columns import Kind, Roles
from homeostat.core.duration import Duration

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class ColumnRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What every batch must satisfy in one column. Inferred from the first version; each part can be overridden."""

    kind: Kind | None = None
    nullable: bool | None = None
    max_null_share: Share | None = None
    min: float | None = None
    max: float | None = None
    categories: list[Any] | None = None
    max_new_category_share: Share | None = None
    unique: bool | None = None
    required: bool | None = None


class ContractSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Overrides of the inferred contract. What is left out is inferred."""

    columns: dict[str, ColumnRule] = {}
    min_rows: Annotated[int, Meta(ge=0)] | None = None
    max_rows: Annotated[int, Meta(ge=1)] | None = None
    freshness: Duration | None = None
    allow_extra_columns: bool = True


class DataSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the data come from and what each column is.

    `source`: a CSV or Parquet file (plain or compressed), a glob of either, a Delta table (folder), a SQLAlchemy URL with `query`;
    local, or s3:// for files and Delta tables. `label_delay`: how long after `time` the target becomes known.
    """

    source: str
    target: str
    query: str | None = None
    time: str | None = None
    key: list[str] = []
    exclude: list[str] = []
    label_delay: Duration = msgspec.field(default_factory=Duration)
    columns: dict[str, Kind] = {}
    contract: ContractSettings = msgspec.field(default_factory=ContractSettings)

    @property
    def roles(self) -> Roles:
        return Roles(target=self.target, time=self.time, key=tuple(self.key), exclude=tuple(self.exclude))
