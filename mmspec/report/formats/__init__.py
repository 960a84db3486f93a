"""What a report is written as."""
