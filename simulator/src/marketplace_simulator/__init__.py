"""A small, stateful, honest AWS Marketplace that runs on a desk."""
