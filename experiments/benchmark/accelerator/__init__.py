"""--what=accelerator: all that is to be measured of a GPU or TPU in some minutes."""
