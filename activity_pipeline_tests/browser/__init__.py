"""The monitor page in a real browser."""
