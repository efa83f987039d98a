"""Reports the usage that is in a file: one event a row, resumable, with the same ids on every run."""
