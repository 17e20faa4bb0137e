"""The parts of benchmarks/translation.py."""
