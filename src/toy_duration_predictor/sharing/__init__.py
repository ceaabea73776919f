"""Models and songs tables for others: the Hub, cards and ONNX files."""
