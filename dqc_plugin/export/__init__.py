"""From a compressed file to the formats of others: ONNX, safetensors, a torch state dict."""

from dqc_plugin.export.files import export, export_onnx

__all__ = ["export", "export_onnx"]
