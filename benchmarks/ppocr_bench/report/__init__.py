"""What the report is drawn with."""
