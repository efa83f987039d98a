"""The stack of metering's web role with nothing in it: what its speed is measured against."""
