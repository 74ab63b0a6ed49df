"""The flags of `python -m experiments.main`: default, help, modes and rules of each."""
