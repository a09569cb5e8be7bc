"""`python3 tests ...`: make `.venv` if needed, and run `pytest ...` in it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, ".ci"))
from launcher import ROOT, start

sys.exit(start("test", ["-m", "pytest", *sys.argv[1:]], directory=ROOT))
