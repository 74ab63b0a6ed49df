"""What people hand in: photos and poses, as files, Pillow images or arrays.

The one part of this package that knows data_prep, whose readers it calls; it is
imported when something is to be read, and not by training.
"""
