"""Hostile clients over the network: what each may take, and what happens to the others meanwhile."""
