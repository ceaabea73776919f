"""Scores in, performances out."""
