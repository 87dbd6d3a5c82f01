"""Random histories of real hosts, checked against a sequential model of what the gates promise."""
