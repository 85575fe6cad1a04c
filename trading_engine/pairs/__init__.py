"""Pairs of symbols: how they are named, stored and estimated."""
