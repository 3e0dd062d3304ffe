"""
The storm: hand-overs under random faults, at the level of steps and records, in one process.

    make chaos STRIKES=3000 SEED=1

`strikes` says what may happen, `world` makes it happen to real flows on real records, `witness` looks on and judges
from outside, `storm` carries one case after another. Every case has its number, and is the same again for a seed.
"""
