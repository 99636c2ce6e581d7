"""Where Triton's C++ backends and this project's Python stand-ins differ, and how releases do.

The tables stand in docs/backends.md too. Sources are functions of `src/onnxruntime.cc` in
triton-inference-server/onnxruntime_backend (main at 02ffb9e, 2026), of `src/openvino.cc` in
openvino_backend, and of `cuda_execution_provider_info.cc` in microsoft/onnxruntime.
"""

from __future__ import annotations

#: What, how the C++ backends do it, how the stand-ins do it, and where the former stands.
STAND_INS: tuple[tuple[str, str, str, str], ...] = (
    (
        "instances",
        "threads of one process",
        "a process each",
        "`TRITONBACKEND_ModelInstanceInitialize`",
    ),
    (
        "a merged run that fails",
        "an error for each of its requests",
        "run one by one: an error for the one at fault",
        "onnxruntime.cc `ProcessRequests`",
    ),
    (
        "outputs on a GPU",
        "in its memory, unless CPU memory is asked for",
        "in CPU memory",
        "onnxruntime.cc `ProcessRequests`",
    ),
    (
        "idle threads of onnxruntime",
        "spin",
        "sleep: they would take other instances' cores",
        "onnxruntime.cc `ModelState::ModelState`",
    ),
    (
        "a number with a rest, as `2x`",
        "the number before it counts",
        "refused",
        "backend_common.cc `ParseIntValue`",
    ),
    (
        "accelerator `openvino`",
        "optional in the build",
        "needs onnxruntime-openvino",
        "onnxruntime.cc `LoadModel`",
    ),
    (
        "`NUM_STREAMS` of openvino",
        "streams for all instances",
        "one stream an instance",
        "openvino.cc `ParseParameterHelper`",
    ),
    (
        "openvino without `HINT_BF16`",
        "OpenVINO chooses, bfloat16 where it is fast",
        "float32",
        "openvino.cc `ParseParameterHelper`",
    ),
    (
        "thread pinning of openvino",
        "OpenVINO's default",
        "off: instances would share a core",
        "openvino.cc `LoadModel`",
    ),
    (
        *(
            "kernels kept by openvino",
            "5000",
            "1000, as fast and smaller",
            "openvino.cc `LoadModel`",
        ),
    ),
    (
        *(
            "`ENABLE_BATCH_PADDING`",
            "rows are added up to `max_batch_size`",
            "only its own rows run",
        ),
        "openvino.cc `SetInputTensors`",
    ),
    ("`NUM_STREAMS` 0", "accepted", "refused", "openvino.cc `ParseParameterHelper`"),
    (
        "`cc_model_filenames`",
        "a file for each compute capability",
        "the default file",
        "`BackendModelInstance`",
    ),
    ("tensors of strings", "served", "refused", "onnxruntime.cc `SetStringInputTensor`"),
    (
        "sequence batching, `batch_input`, `batch_output`, ragged batches",
        "served",
        "refused",
        "onnxruntime.cc `ValidateInputs`",
    ),
)

#: What, in r24.10 and as the stand-ins do it, in newer releases, and where it stands.
RELEASES: tuple[tuple[str, str, str, str], ...] = (
    (
        "`precision_mode` BF16 of tensorrt",
        "refused",
        "sets `trt_bf16_enable`",
        "onnxruntime.cc `LoadModel`",
    ),
    (
        "`share_session_between_instances`",
        "without effect",
        "one session for a group",
        "onnxruntime.cc `GetSessionForGroup`",
    ),
    (
        "`fuse_conv_bias`, `sdpa_kernel` of cuda",
        "refused by ONNX Runtime 1.19",
        "options of ONNX Runtime 1.20 and later",
        "cuda_execution_provider_info.cc",
    ),
    (
        "`TARGET_DEVICE` of openvino",
        "without effect: the CPU",
        "the device of OpenVINO",
        "openvino.cc `ParseParameters`",
    ),
)
