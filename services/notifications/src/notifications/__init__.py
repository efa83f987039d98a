"""Notifications: AWS sends news of a subscription; it is applied once, in any order."""
