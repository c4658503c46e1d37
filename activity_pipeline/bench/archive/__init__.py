"""The archive against raw COPY, other exporters, other files: one module a question."""
