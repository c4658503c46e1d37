"""What analysts read: views over events and results."""
