"""Canonical algebra: sums, products, polynomials and rational functions as strategies."""
