"""What joins rooms: the film's page."""
