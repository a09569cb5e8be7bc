"""Cost tables by target name. Adding a machine is adding a file and a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from codegen.targets import intel, zen4, zen5
from codegen.targets.table import CostTable, Row

__all__ = ["TABLES", "CostTable", "Row"]

TABLES: Final[Mapping[str, CostTable]] = MappingProxyType(
    {table.name: table for table in (*intel.TABLES, *zen4.TABLES, *zen5.TABLES)}
)
