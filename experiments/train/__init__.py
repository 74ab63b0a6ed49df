"""--mode=train."""
