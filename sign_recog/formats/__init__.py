"""File formats of other systems: one module a format, from and to the sequences of ``storage``."""
