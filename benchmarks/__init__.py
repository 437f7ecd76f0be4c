"""What is timed, against which peer or floor, on the same work in the same run."""
