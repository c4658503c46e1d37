"""How much of what was planted the detector finds, how often it cries wolf, and how libraries fare."""
