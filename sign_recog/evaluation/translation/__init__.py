"""Scores of translations, and whether they are more than a language model's guess."""
