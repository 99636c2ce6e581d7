"""Far more requests than the server can answer: what it refuses, and what that costs the others."""
