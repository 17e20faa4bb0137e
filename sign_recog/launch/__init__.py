"""Jobs on a SLURM cluster: submitting them, what they do there, and how they stand."""
