"""The drivers that code under test uses, over sessions of a world's database."""
