"""Bytes that nobody should have sent, for everything here that reads bytes of others."""
