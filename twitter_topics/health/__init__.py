"""What running parts say about themselves, and what is wrong with them."""
