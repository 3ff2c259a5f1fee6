"""The faults that mlforge survives, caused: kills, broken disks, flipped bytes, hostile files.

``make campaign`` runs every figure at full size and prints a table; the tests run a short form.
"""
