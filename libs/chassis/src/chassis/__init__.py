"""Plumbing that every Marketplane service needs. No word of the business belongs here."""
