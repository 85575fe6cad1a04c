"""
Whoever rules the database, and not the key, changes what was sealed: is it found, and the first bad row named?

A sample of it is part of the tests.
"""
