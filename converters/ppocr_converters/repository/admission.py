"""How many requests a repository takes at a time: so many in progress, so many waiting.

The limit stands at the door, in the step `admit`: a picture that was let in is read to the end, and
one that is refused has cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppocr_converters.errors import RepositoryError
from ppocr_converters.repository.deployment_plan import MOST, Plan, with_parameter
from ppocr_engine.config_pbtxt import instance_count, set_parameter
from ppocr_engine.tensorrt_engines import this_machine

DOOR = "admit"
LIMIT, PLACES = "max_requests", "max_in_progress"
#: The steps that a picture goes through from the door on.
PIPELINE = ("det_preprocess", "det", "det_postprocess", "recognize")
#: Requests for each place in the pipeline, where nothing else is said: as many pictures as are in
#: progress may wait three times over.
REQUESTS_PER_PLACE = 4
#: Requests between the queue of a model with one instance and the pipeline: one in its hands, and
#: three that Triton has taken out of the queue for it.
BETWEEN = 4


def with_limit(plan: Plan, requests: int | None) -> Plan:
    """The plan with a limit of requests at a time; None leaves that to the number of instances."""
    return with_parameter(plan, DOOR, LIMIT, requests)


def limit_requests(configs: Mapping[str, Any]) -> None:
    """Work out the limits of a repository and write them into the configuration of `admit`, if any.

    Raises:
        RepositoryError: `max_requests` is no whole number from 1 to `MOST`.
    """
    config = configs.get(DOOR)
    if config is None:
        return
    steps = [configs[name] for name in PIPELINE]
    groups = [group for step in steps for group in step.instance_group]
    # A group of GPUs that lists none runs on all that the serving machine has.
    on_all = any(group.kind == group.KIND_GPU and not group.gpus for group in groups)
    gpus = len(this_machine().gpus) if on_all else 0
    places = sum(_places(step, gpus) for step in steps)
    limit = _limit(config) or REQUESTS_PER_PLACE * places
    places = min(places, limit)
    set_parameter(config, LIMIT, limit)
    set_parameter(config, PLACES, places)
    queue = config.dynamic_batching.default_queue_policy
    queue.max_queue_size = max(1, limit - places - BETWEEN)


def _limit(config: Any) -> int:
    """What the plan asks for, 0 where it leaves that to the number of instances."""
    text = config.parameters[LIMIT].string_value
    if text and not (text.isdecimal() and 1 <= int(text) <= MOST):
        raise RepositoryError(f"{LIMIT} is {text!r}; allowed: whole numbers from 1 to {MOST}")
    return int(text or 0)


def _places(config: Any, gpus: int) -> int:
    """Pictures that a step can work on at a time, on a machine with so many GPUs."""
    instances = instance_count(config, gpus)
    merged = config.HasField("dynamic_batching")
    alone = list(config.dynamic_batching.preferred_batch_size) == [1]
    return instances * (max(1, config.max_batch_size) if merged and not alone else 1)
