"""A queue of commands: on a workstation its own, in a file; on a SLURM cluster the same words over SLURM's."""
