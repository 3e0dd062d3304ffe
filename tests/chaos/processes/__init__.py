"""
kill -9 for real processes: a real Prefect server and worker, real nginx edges, a real S3.

    python -m tests.chaos.processes --seed 1 --kills 200

`rods` stands in each process of a flow: it writes every call to a client down, and can kill the process at the one that
it is told to. `scene` is the stack with a supervisor, `people` hand over and approve, `storm` kills at random, `judge`
looks at what is left, from outside, and `clocks` says how long it took to go on.
"""
