"""The command line of `ppocr-serve`."""

from __future__ import annotations

import argparse
from importlib import metadata
from pathlib import Path

from ppocr_client.commands.argument_types import HelpFormatter, whole
from ppocr_server.access import add_security_arguments
from ppocr_server.tritonserver.launch import LOG_LEVELS

WORK = Path("build")
DEFAULT_REPOSITORY = "build/model_repository"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORTS = {"http": 8000, "grpc": 8001, "metrics": 8002}
GATEWAY_PORT = 8080
RESTARTS_HELP = "restarts within 10 minutes of a tritonserver that ended or lost a process"
TIMEOUT_HELP = (
    "time to load all models (default: 120 s, and 20 s for each of their processes; 600 s more "
    "where TensorRT builds engines)"
)
LOG_FOLDER = "PipelineServingLogs"


def parser() -> argparse.ArgumentParser:
    """All of `ppocr-serve`'s options."""
    options = argparse.ArgumentParser(
        prog="ppocr-serve",
        description="Serve a model repository with NVIDIA Triton until Ctrl-C.",
        formatter_class=HelpFormatter,
        epilog="Subcommands, each with its own --help: `ppocr-serve gateway` answers plain HTTP "
        "before a running Triton, `ppocr-serve endpoint` the clients of Paddle Serving, "
        "`ppocr-serve shm-size` says how much shared memory a repository needs.",
    )
    options.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('ppocr-triton')}"
    )
    _add_serving_arguments(options)
    _add_gateway(options.add_argument_group("the gateway: plain HTTP, POST /read"))
    _add_config_arguments(options.add_argument_group("the clients of Paddle Serving"))
    _add_output_arguments(options)
    options.add_argument(
        "command",
        nargs="*",
        metavar="-- COMMAND",
        help="serve only while this command runs; it finds PPOCR_GATEWAY_URL, PPOCR_HTTP_URL, "
        "PPOCR_GRPC_URL and PPOCR_METRICS_URL in its environment, the secrets as PPOCR_ADMIN_KEY "
        "and PPOCR_TOKEN; those of Paddle Serving as PPOCR_OLD_HTTP_URL and PPOCR_OLD_RPC_URL",
    )
    add_security_arguments(options)
    return options


def _add_serving_arguments(options: argparse.ArgumentParser) -> None:
    add = options.add_argument
    repository_help = f"folder of models (default: {DEFAULT_REPOSITORY}; with --config: build it)"
    add("--model-repository", metavar="DIR", help=repository_help)
    add("--host", help="address to listen on; 0.0.0.0 for all (default: 127.0.0.1)")
    # For each endpoint an option takes precedence over config.yml, and that over these defaults.
    for name, port in DEFAULT_PORTS.items():
        text = f"0 picks a free one (default: {port})"
        add(f"--{name}-port", type=int, metavar="PORT", help=text)
    add("--tritonserver", metavar="FILE", help="the binary to run (default: look for one)")
    add("--timeout", type=float, metavar="S", help=TIMEOUT_HELP)
    add("--grace", type=float, default=30.0, metavar="S", help="time to finish when stopped")
    add("--restarts", type=int, default=5, metavar="N", help=RESTARTS_HELP)
    argument_help = "further argument for tritonserver, as --triton-argument=--rate-limit=off"
    add("--triton-argument", action="append", default=[], metavar="ARG", help=argument_help)


def _add_gateway(group: argparse._ArgumentGroup) -> None:
    text = "0 picks a free one, none leaves the gateway out"
    group.add_argument(
        "--gateway-port", type=port_or_none, default=GATEWAY_PORT, metavar="PORT", help=text
    )
    add_gateway_arguments(group)


def port_or_none(word: str) -> int | None:
    """A port of a command line; None for `none`."""
    if word in ("none", "off"):
        return None
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is no port; give a number, 0 or none")
    return int(word)


def old_ports(word: str) -> dict[str, int | None] | None:
    """The ports of `--paddle-serving HTTP,RPC`; None for neither."""
    if word.count(",") != 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not HTTP,RPC; give two ports, as 9999,18090")
    http, rpc = map(port_or_none, word.split(","))
    return None if http is rpc is None else {"http_port": http, "rpc_port": rpc}


def add_gateway_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the limits of the gateway, for it alone and for `ppocr-serve`."""
    add = group.add_argument
    add("--max-body-mb", type=whole, default=256, metavar="N", help="longest request, in MiB")
    add("--max-pages", type=whole, default=1000, metavar="N", help="most pages of a request")
    prefix_help = "fetch the file of a request from addresses below this one; may be repeated"
    add("--allow-url-prefix", action="append", default=[], metavar="URL", help=prefix_help)
    cors_help = "web pages of this origin may ask, as in https://example.org; may be repeated"
    add("--cors", action="append", default=[], metavar="ORIGIN", help=cors_help)


OPT_HELP = "in place of what config.yml says, as in op.det.concurrency=1"


def _add_config_arguments(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    ports_help = "answer them on these ports, as 9999,18090; the models are those of the repository"
    add("--paddle-serving", type=old_ports, metavar="HTTP,RPC", help=ports_help)
    config_help = "build the models of this file, serve them, answer on its old ports"
    add("--config", type=Path, metavar="FILE", help=config_help)
    add("-o", "--opt", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=OPT_HELP)
    add("--work", type=Path, default=WORK, metavar="DIR", help="folder for all models")
    folder_help = "for the logs of the old endpoints; empty: standard error"
    add("--log-folder", default=LOG_FOLDER, metavar="DIR", help=folder_help)


def _add_output_arguments(options: argparse.ArgumentParser) -> None:
    add = options.add_argument
    add("--log-file", metavar="FILE", help="Triton's log; - is standard error (default: temporary)")
    add(
        "--log-level", choices=tuple(LOG_LEVELS), default="info", help="what goes into Triton's log"
    )
    add("--json", action="store_true", help="print the endpoints as one line of JSON when ready")
