"""BioNetGen's reaction networks: `read` a `.net` file, and have the terms of its equations."""

from rewrite.io.bionetgen.network import Network, Observable, parse, read
from rewrite.io.bionetgen.reactions import Reactions

__all__ = ["Network", "Observable", "Reactions", "parse", "read"]
