"""Save models with Paddle itself, in each of its forms: `FOLDER FORM=SOURCE...`, run as a process.

Each goes to FOLDER/FORM; the forms without a source are given as `FORM=`.

scattered   __model__ and one file for each variable, of the Paddle 2 model in SOURCE
pir         inference.json and inference.pdiparams, of the Paddle 2 model in SOURCE
crnn        an own small recogniser as PP-OCRv2's: 32 high, LSTM, softmax inside, 40 classes
isnan       the same network with isnan_v2 and where at its end, as newer PaddleOCR saves them
logits      the same network without its softmax
odd         an own small detector with an operator that ONNX has nothing for
fixed       an own small detector that declares 960x960, as some of PP-OCRv3 do
textline    an own small classifier of lines of 80x160, as PP-LCNet_x0_25_textline_ori

pir takes any Paddle 2 model, one of these forms too.
"""

import shutil
import sys
from pathlib import Path

import paddle
from paddle import static
from paddle.base.layer_helper import LayerHelper
from paddle.nn import functional

SEED = 7
#: Height and width that a network declares; -1 is any.
SIZES = {"odd": (-1, -1), "fixed": (960, 960), "textline": (80, 160)}


def save(form: str, target: Path, source: Path) -> None:
    paddle.seed(SEED)
    executor = static.Executor(paddle.CPUPlace())
    if form in OWN:
        build(form, target, executor)
    else:
        program, _, _ = static.load_inference_model(str(source / "inference"), executor)
        (scatter if form == "scattered" else translate)(program, source, target, executor)


def scatter(program: static.Program, source: Path, target: Path, executor: static.Executor) -> None:
    weights = [v for v in program.list_vars() if is_weight(v)]
    static.io.save_vars(executor, str(target), program, vars=weights)
    shutil.copyfile(source / "inference.pdmodel", target / "__model__")


def is_weight(variable: static.Variable) -> bool:
    return variable.persistable and variable.name not in ("feed", "fetch")


def translate(program: static.Program, _: Path, target: Path, executor: static.Executor) -> None:
    """Save a Paddle 2 program as a Paddle 3 one."""
    translated = paddle.pir.translate_to_pir(program.desc)
    weights = [v for v in translated.list_vars() if v.is_parameter]
    scope = static.global_scope()
    paddle.base.libpaddle.pir.create_loaded_parameter(weights, scope, executor._default_executor)
    operators = translated.global_block().ops
    feeds = [value for op in operators if op.name() == "pd_op.feed" for value in op.results()]
    fetches = [v for op in operators if op.name() == "pd_op.fetch" for v in op.operands_source()]
    with paddle.pir_utils.IrGuard():
        static.save_inference_model(
            str(target / "inference"), feeds, fetches, executor, program=translated
        )


def build(form: str, target: Path, executor: static.Executor) -> None:
    program, start = static.Program(), static.Program()
    with static.program_guard(program, start):
        picture = static.data("x", [-1, 3, *SIZES.get(form, (32, -1))], "float32")
        answer = OWN[form](picture)
    executor.run(start)
    static.save_inference_model(
        str(target / "inference"), [picture], [answer], executor, program=program
    )


def crnn(picture: static.Variable) -> static.Variable:
    return functional.softmax(logits(picture), axis=2)


def isnan(picture: static.Variable) -> static.Variable:
    answer = crnn(picture)
    return paddle.where(operator("isnan_v2", answer, "bool"), paddle.zeros_like(answer), answer)


def operator(name: str, value: static.Variable, dtype: str = "float32") -> static.Variable:
    helper = LayerHelper(name)
    answer = helper.create_variable_for_type_inference(dtype)
    helper.append_op(type=name, inputs={"X": value}, outputs={"Out": answer})
    return answer


def logits(picture: static.Variable) -> static.Variable:
    """[N, 3, 32, W] to numbers [N, W / 4, 40], the larger the likelier."""
    values = picture
    for channels, stride in ((8, 2), (16, (2, 1)), (32, (2, 1))):
        conv = paddle.nn.Conv2D(values.shape[1], channels, 3, stride=stride, padding=1)
        values = functional.relu(paddle.nn.BatchNorm2D(channels)(conv(values)))
    values = functional.max_pool2d(values, [4, 2], [4, 2])
    steps = paddle.transpose(paddle.squeeze(values, axis=2), [0, 2, 1])
    steps, _ = paddle.nn.LSTM(32, 16, num_layers=2, direction="bidirectional")(steps)
    init = paddle.nn.initializer.Normal(0, 5)  # answers that are sure of something
    return paddle.nn.Linear(32, 40, weight_attr=paddle.ParamAttr(initializer=init))(steps)


def odd(picture: static.Variable) -> static.Variable:
    return paddle.lgamma(paddle.nn.Conv2D(3, 1, 3, padding=1)(picture))


def fixed(picture: static.Variable) -> static.Variable:
    half = functional.relu(paddle.nn.Conv2D(3, 4, 3, stride=2, padding=1)(picture))
    return operator("sigmoid", paddle.nn.Conv2DTranspose(4, 1, 2, stride=2)(half))


def textline(picture: static.Variable) -> static.Variable:
    values = functional.relu(paddle.nn.Conv2D(3, 8, 3, stride=2, padding=1)(picture))
    pooled = paddle.flatten(functional.adaptive_avg_pool2d(values, 1), 1)
    return functional.softmax(paddle.nn.Linear(8, 2)(pooled), axis=1)


OWN = {
    "crnn": crnn,
    "isnan": isnan,
    "logits": logits,
    "odd": odd,
    "fixed": fixed,
    "textline": textline,
}


def main(folder: Path, *wanted: str) -> None:
    paddle.enable_static()
    for form, source in (pair.split("=", 1) for pair in wanted):
        (folder / form).mkdir(parents=True)
        # Nothing of one model, its names and weights, is left for the next.
        with (
            paddle.pir_utils.OldIrGuard(),
            paddle.utils.unique_name.guard(),
            static.scope_guard(static.Scope()),
        ):
            save(form, folder / form, Path(source))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
