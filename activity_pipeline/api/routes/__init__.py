"""One module for each resource, each with a `router` whose paths are whole ones."""

ROOT = "/api/v1"
"""Where everything is but what machines ask of any service: healthz, readyz, metrics."""
