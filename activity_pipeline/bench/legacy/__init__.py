"""The legacy application of sql/legacy, and its workload."""
