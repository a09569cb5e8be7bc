"""The e-graph: saturation through egglog in batches, explanations inside it, and pictures of it."""
