"""LLVM code for programs: one vector loop per float type, and the driver that feeds it."""
