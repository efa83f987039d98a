"""Metering: the product reports usage; every hour AWS Marketplace is told, and its answer is kept."""
