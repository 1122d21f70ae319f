"""Studies: `compute` turns a configuration into numbers, and `plot` these into a figure."""
