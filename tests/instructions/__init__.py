"""A guard against decay: how many instructions each kind of event takes, which no noise changes.

`python -m tests.instructions` (`make instructions`) counts, and records the figures in
`figures.json`; `test_instructions.py` counts, and fails where an event takes 5 % more than that.
"""
