"""A photo and a pose in, a person in that pose out; for notebooks and programs."""
