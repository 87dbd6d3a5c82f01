"""The long run: a real host under mixed traffic for an hour, sampled, and judged at its end."""
