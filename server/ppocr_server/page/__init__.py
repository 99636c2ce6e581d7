"""The gateway's web page, which reads pictures and PDF files."""
