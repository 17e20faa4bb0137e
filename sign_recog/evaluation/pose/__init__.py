"""How good a landmark detector is."""
