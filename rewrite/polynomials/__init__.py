"""Systems of polynomials: common factors and common partial sums over many roots at once."""
