"""The records, a noun a file."""
