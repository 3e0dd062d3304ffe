"""
kill -9 for real processes: a real Prefect server and worker, real nginx edges, a real S3.

    make chaos KILLS=200 SEED=1
    python -m tests.chaos.processes --seed 1 --kills 200

`rods` stands in each process of a flow: it writes every call to a client down, and kills the process at the one that
it is told to. `scene` is the stack with a supervisor, `people` hand over and approve, `sweep` kills at every durable
call of every flow, `storm` kills at random, and `judge` looks at what is left, from outside.
"""
