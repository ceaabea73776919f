"""What studies found, as reports: a paragraph in plain words, tables, pictures, and the words that they use."""
