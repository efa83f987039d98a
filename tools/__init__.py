"""The scripts behind the Makefile, and what they share. Run from the repository by .venv/dev, except setup and lock."""
