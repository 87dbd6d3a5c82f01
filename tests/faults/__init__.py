"""Real faults under a real `roomhost serve`, with real clients: `python -m tests.faults`."""
