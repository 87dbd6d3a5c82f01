"""One actor that misbehaves, and what happens to the others."""
