"""The commands of `ppocr-client`, one module each: HELP, DESCRIPTION, add_arguments and run."""
