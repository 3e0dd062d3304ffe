"""WITH WHOM: one outside system a file; the only I/O."""
