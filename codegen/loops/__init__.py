"""Programs with loops, recovered from subterms of equal shape."""
