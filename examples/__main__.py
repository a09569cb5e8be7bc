"""`python3 examples ...`: make `.venv` if needed, and run `feynman.py ...` in it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, ".ci"))
from launcher import ROOT, start

sys.exit(start("", [os.path.join(ROOT, "examples", "feynman.py"), *sys.argv[1:]]))
