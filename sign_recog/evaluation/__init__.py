"""Scores with their uncertainty, their figures, and the pages that show them."""
