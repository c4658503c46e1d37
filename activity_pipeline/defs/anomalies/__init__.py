"""Days that are unlike their own history."""
