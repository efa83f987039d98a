"""The stack of registration's web role with nothing in it: what its speed is measured against."""
