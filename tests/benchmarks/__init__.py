"""What the work costs, each figure beside its goal or a reference from the same run.

`python -m tests.benchmarks sweep` prints one table. The portal is the sandbox, in this process;
what is measured is the command line in another one. Nothing here is a test of time: the tests
only see to it that it runs and prints.
"""
