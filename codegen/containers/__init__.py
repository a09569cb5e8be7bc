"""Arrays of other libraries as arguments of kernels: Dask, xarray, pandas, polars."""
