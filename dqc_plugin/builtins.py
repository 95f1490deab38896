"""The components that come with the package, by name; nothing is imported until one is loaded."""

from __future__ import annotations

from dqc_plugin.registry import Entry

_QUANTIZERS = "dqc_plugin.quantizers"
_OPTIONS = "dqc_plugin.quantizers.options"
_PRUNERS = "dqc_plugin.pruners"

BUILT_IN: tuple[Entry, ...] = (
    Entry("quantizer", "dqc", f"{_QUANTIZERS}.dqc:DQCQuantizer", f"{_OPTIONS}:DQCOptions"),
    Entry("quantizer", "sqc", f"{_QUANTIZERS}.sqc:SQCQuantizer", f"{_OPTIONS}:SQCOptions"),
    Entry(
        "quantizer",
        "weight_sharing",
        f"{_QUANTIZERS}.weight_sharing:WeightSharingQuantizer",
        f"{_OPTIONS}:WeightSharingOptions",
    ),
    Entry("quantizer", "inq", f"{_QUANTIZERS}.inq:INQQuantizer", f"{_OPTIONS}:INQOptions"),
    Entry("quantizer", "ternary", f"{_QUANTIZERS}.ternary:TernaryQuantizer", f"{_OPTIONS}:TernaryOptions"),
    Entry("quantizer", "ttq", f"{_QUANTIZERS}.ttq:TTQQuantizer", f"{_OPTIONS}:TTQOptions"),
    Entry(
        "quantizer",
        "binary_connect",
        f"{_QUANTIZERS}.binary_connect:BinaryConnectQuantizer",
        f"{_OPTIONS}:BinaryConnectOptions",
    ),
    *(
        Entry("quantizer", name, f"nni.compression.quantization:{attribute}", f"{_OPTIONS}:{options}")
        for name, attribute, options in (
            ("qat", "QATQuantizer", "NNIOptions"),
            ("lsq", "LsqQuantizer", "NNIOptions"),
            ("dorefa", "DoReFaQuantizer", "NNIOptions"),
            ("bnn", "BNNQuantizer", "BNNOptions"),
            ("ptq", "PtqQuantizer", "NNIOptions"),
        )
    ),
    *(
        Entry("pruner", name, f"{_PRUNERS}.build:{name}", f"{_PRUNERS}.options:{options}")
        for name, options in (
            ("level", "OneShotOptions"),
            ("l1", "OneShotOptions"),
            ("l2", "OneShotOptions"),
            ("fpgm", "OneShotOptions"),
            ("slim", "SlimOptions"),
            ("taylor", "TrainedOptions"),
            ("movement", "MovementOptions"),
            ("agp", "GradualOptions"),
            ("linear", "GradualOptions"),
        )
    ),
    Entry("coder", "huffman", "dqc_plugin.coding.coders:huffman"),
    Entry("coder", "best", "dqc_plugin.coding.best:best"),
    Entry("coder", "packed", "dqc_plugin.coding.coders:packed"),
    Entry("coder", "deep_compression", "dqc_plugin.coding.deep_compression:deep_compression"),
    Entry("model", "lenet300", "dqc_plugin.models.lenet:lenet300"),
    Entry("model", "lenet5", "dqc_plugin.models.lenet:lenet5"),
    *(Entry("model", f"resnet{depth}", f"dqc_plugin.models.resnet:resnet{depth}") for depth in (20, 32, 44, 56)),
    Entry("data", "digits", "dqc_plugin.data.digits:digits"),
    Entry("data", "mnist", "dqc_plugin.data.vision:mnist"),
    Entry("data", "cifar10", "dqc_plugin.data.vision:cifar10"),
)
