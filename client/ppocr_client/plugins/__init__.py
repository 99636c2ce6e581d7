"""Plugins for other programs: OCRmyPDF, LangChain, Haystack; each loads only its own program."""
