"""Training of deep spectrum extractors (needs the extra `train`: torch and onnx)."""
