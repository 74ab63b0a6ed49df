"""--mode=table1."""
