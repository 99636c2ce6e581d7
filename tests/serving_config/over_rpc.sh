python - "$PPOCR_OLD_RPC_URL" <<'END'
import base64, sys, grpc
from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Response
with grpc.insecure_channel(sys.argv[1].removeprefix("grpc://")) as channel:
    inference = channel.unary_unary(
        "/baidu.paddle_serving.pipeline_serving.PipelineService/inference",
        Request.SerializeToString, Response.FromString)
    picture = base64.b64encode(open("samples/poster_zh.jpg", "rb").read()).decode()
    answer = inference(Request(key=["image"], value=[picture]))
assert answer.err_no == 0, answer.err_msg
print("RPC " + answer.value[0])
END
