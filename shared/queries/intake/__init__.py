"""What arrives by address: fetches, and what becomes of the bytes."""
