"""The parts of the comparison, a file each, all of one form.

measure(setting) -> rows            take the times; rows are dataclasses, kept as JSON
lines(rows, limits) -> lines        print them, once the machine's limits are known
figures(rows, limits) -> figures    name the figures that `targets.py` asks for
"""
