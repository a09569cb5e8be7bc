"""What is repeated in a large program: clusters of nodes that are equal but for their leaves."""
