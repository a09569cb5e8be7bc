"""From the cheapest term to a callable: targets, cycle costs, programs, vector code, kernels."""
