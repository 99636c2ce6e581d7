"""What is read: files, folders, pages and pictures."""
