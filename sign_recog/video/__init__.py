"""Videos: frames out of files, and files out of frames."""
