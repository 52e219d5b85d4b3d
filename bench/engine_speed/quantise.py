"""quantise.py KIND FROM.onnx TO: a model in int8, as a peer has it.

ort-int8       ONNX Runtime's dynamic quantisation, to an .onnx: signed weights, one scale per output; the scales of activations
               are found when it runs
openvino-int8  NNCF's static quantisation with its settings for transformers, to an .xml: the scales of activations come from
               some windows of random tokens, on which the speed does not depend
"""
import sys


def quantise_onnxruntime(model, quantised):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(model, quantised, per_channel=True, weight_type=QuantType.QInt8)


def quantise_openvino(model, quantised):
    import nncf
    import numpy
    import openvino

    random = numpy.random.default_rng(1)

    def window(length):
        ids = random.integers(1000, 30000, (1, length), numpy.int32)
        return {"input_ids": ids, "segment_ids": numpy.zeros_like(ids), "input_mask": numpy.ones_like(ids)}

    windows = nncf.Dataset([window(length) for length in range(64, 384, 20)])
    made = nncf.quantize(openvino.Core().read_model(model), windows, model_type=nncf.ModelType.TRANSFORMER)
    openvino.save_model(made, quantised, compress_to_fp16=False)


{"ort-int8": quantise_onnxruntime, "openvino-int8": quantise_openvino}[sys.argv[1]](*sys.argv[2:])
