"""The page of --mode=report: what runs left on disk, compared and drawn."""
