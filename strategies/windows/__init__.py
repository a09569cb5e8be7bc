"""Saturation of large programs: cut into windows, equal shapes once, many in one e-graph."""
