"""A service of two operations, to try the chassis on."""
