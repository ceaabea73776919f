"""Songs: the table, its sources, and the way from it to batches."""
