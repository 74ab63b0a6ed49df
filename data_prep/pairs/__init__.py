"""Which photos of a person make a pair."""
