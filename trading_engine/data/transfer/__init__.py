"""
Every row out of a database, to files that anybody can read, and back into an empty one, identical.

A folder of an export holds a file for each table, and a manifest: how many rows each has, its SHA-256, and a digest of
its rows that depends neither on their order nor on the format.
"""
