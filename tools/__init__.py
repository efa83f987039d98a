"""The scripts behind the Makefile, and what they share. setup and lock need nothing but Python; the rest
.venv/dev."""
