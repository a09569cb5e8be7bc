"""Values that are the same for all elements of a call, computed once and not for every vector."""
