"""quantise.py FROM.onnx TO.onnx: ONNX Runtime's dynamic int8 quantisation: signed weights, one scale per output."""
import sys

from onnxruntime.quantization import QuantType, quantize_dynamic

quantize_dynamic(sys.argv[1], sys.argv[2], per_channel=True, weight_type=QuantType.QInt8)
