"""Files on disk: every write goes to a temporary name and is renamed when it is whole."""
