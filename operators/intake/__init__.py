"""New uploads: which objects there are, who works on one, and what became of it."""
