"""From manifest and sequence files to batches."""
