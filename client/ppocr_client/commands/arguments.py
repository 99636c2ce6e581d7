"""What several verbs make of the command line's arguments."""

from __future__ import annotations

import argparse
import sys

from ppocr_client.client import OcrClient
from ppocr_client.documents.documents import parse_pages
from ppocr_client.documents.reading import Order
from ppocr_client.options import given_options


def client_of(args: argparse.Namespace) -> OcrClient:
    """A client of the server that `--url` and its companions name."""
    return OcrClient(
        args.url, model=args.model, timeout=args.timeout, token=args.token, tls=args.tls
    )


def order_of(args: argparse.Namespace) -> Order:
    """How documents are to be read."""
    return Order(
        options=given_options(vars(args)),
        concurrency=args.concurrency,
        dpi=args.dpi,
        ranges=parse_pages(args.pages) if args.pages else None,
        keep=args.format == "pdf" or args.draw is not None,
        timeout=args.timeout,
    )


def say(text: str) -> None:
    """A message for people, beside the results."""
    sys.stderr.write(f"ppocr-client: {text}\n")
