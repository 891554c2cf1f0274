"""What a run was worth: its records, added up, as one page and as a table."""
