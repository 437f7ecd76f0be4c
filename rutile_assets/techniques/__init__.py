"""One room per technique."""
