"""Pictures made of the source's own pixels: the preset pg2plus, not the paper's."""
