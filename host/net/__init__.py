"""A network's operators as integer matrix products: reading ONNX, quantisation, im2col (docs/net.md)."""
