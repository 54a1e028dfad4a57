"""Text utilities the teams share: tokens and shingles by script, near-duplicates, sentences, code."""
