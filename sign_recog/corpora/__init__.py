"""Corpora: one file each, from a native annotation to manifest rows."""
