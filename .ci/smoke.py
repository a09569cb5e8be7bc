"""Try the installed wheel, from outside of the repository."""

import importlib.metadata
import pathlib
import sysconfig

import numpy as np

import rewrite as rw

SITE = pathlib.Path(sysconfig.get_path("purelib"))
WHEEL = importlib.metadata.distribution("rewrite")

tops = {path.parts[0] for path in WHEEL.files or [] if not path.parts[0].endswith(".dist-info")}
assert tops <= {"rewrite", "strategies", "codegen", ".."}, f"the wheel holds more: {tops}"
for name in ("rewrite", "strategies", "codegen"):
    assert (SITE / name / "__init__.py").is_file(), f"{name} is not installed in {SITE}"
    assert (SITE / name / "py.typed").is_file(), f"{name}/py.typed is missing from the wheel"

x, s = rw.symbols("x s")
density = rw.compile([x, s], rw.exp(-((x / s) ** 2) / 2) / (rw.sqrt(2 * rw.pi) * s))
points = np.linspace(-3, 3, 1001)
expected = np.exp(-((points / 1.5) ** 2) / 2) / (np.sqrt(2 * np.pi) * 1.5)
np.testing.assert_allclose(density(points, 1.5), expected, rtol=1e-14)
print(f"rewrite {WHEEL.version} from its wheel: compiles, and agrees with NumPy")
