"""The page of `tdp demo`."""
