"""Daily metrics, recomputed for each day that was touched."""
