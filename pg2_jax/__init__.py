"""PG2 (Ma et al., NIPS 2017) in JAX: a person's photo and a pose in, the person in
that pose out."""

__version__ = "0.1.0"
