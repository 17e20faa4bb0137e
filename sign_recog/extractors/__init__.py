"""Extractors: a clip of a video in, landmarks or features out."""
