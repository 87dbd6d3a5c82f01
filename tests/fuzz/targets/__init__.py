"""The decoders, by what sends to them; `tests.fuzz.table` has all of them by name."""
