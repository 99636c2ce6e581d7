"""By how much a page is turned, and which of its lines lie upside down."""
