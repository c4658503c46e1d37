"""Benchmarks on servers of their own: both sides of a ratio in one run, in turns, medians of several."""
