"""
Whoever rules the database, and not the key, changes what was sealed: is it found, and the first bad row named?

`python -m tests.tampering` does it a thousand times; a sample of it is part of the tests.
"""
