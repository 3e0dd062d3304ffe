"""
What things cost, measured side by side in one run: `make bench`.

Each module here with a function ``bench(effort)`` is one bench; a new file is all that a new one needs.
"""
