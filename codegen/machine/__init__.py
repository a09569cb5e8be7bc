"""What a core does with machine code: its units, the loop in an assembly text, its schedule."""
