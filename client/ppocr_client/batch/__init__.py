"""Archives of any size, through many servers; see `ppocr_client.commands.batch`."""
