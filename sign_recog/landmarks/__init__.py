"""Landmarks: which points there are, how gaps are filled, how coordinates are normalised."""
