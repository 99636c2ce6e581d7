"""Hours of mixed requests: whether the server is at the end as it was at the beginning."""
