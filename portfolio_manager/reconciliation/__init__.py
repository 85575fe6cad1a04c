"""A venue's statement held against the book: what one of them lacks, and what they tell differently."""
