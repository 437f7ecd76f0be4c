"""Films as a crate that another lab, or a journal, can read and check: written here, and read in again."""
