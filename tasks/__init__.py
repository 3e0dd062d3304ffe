"""WHAT: one step a file, with its undo and its retries. Imports nothing, so `core` and `customer` load fast."""
