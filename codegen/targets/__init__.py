"""Cost tables by target name. Adding a machine is adding a file and a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from codegen.targets import intel, neoverse, nvptx, skylake, zen3, zen4, zen5
from codegen.targets.table import CostTable, Row

__all__ = ["TABLES", "CostTable", "Row"]

_MACHINES: Final = (intel, skylake, zen3, zen4, zen5, neoverse, nvptx)

TABLES: Final[Mapping[str, CostTable]] = MappingProxyType(
    {table.name: table for machine in _MACHINES for table in machine.TABLES}
)
