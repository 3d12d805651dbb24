"""What the readers of European languages but English share."""
