"""The faster grade: at most 4 ulp, for where the licence has `afn`.

The same reductions as in the other modules, without the second parts of sums that keep those below
1 ulp, and shorter polynomials where AVX-512 can look tables up in registers. Lanes out of the usual
range go the same rare ways. Special values and signs of zeros are as there.
"""
