"""The whole core in one thread, from one seed: time, threads, the disk and the network are simulated.

See `world` for what a workload is, and `run` for what a run does.
"""
