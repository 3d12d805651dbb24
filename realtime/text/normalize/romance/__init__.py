"""What Spanish, Italian and Portuguese share."""
