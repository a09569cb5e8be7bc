"""Rule sets as data, run by one compiled loop over the columns of a store."""
