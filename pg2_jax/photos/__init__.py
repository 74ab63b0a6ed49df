"""Photos: bytes to upright RGB, the crop to a person, arrays."""
