"""
A process that archives, writes files and brings rows back is killed: is every row in exactly one place?

`python -m tests.archiving` kills it hundreds of times, at named places and at random moments; some of it is part of the
tests.
"""
