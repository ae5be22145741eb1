"""The rows of the benchmark: what is run, for how long, and what is aimed at."""

from dataclasses import dataclass
from typing import Optional

# What a row measures, and the frameworks that support it.
KINDS = {
    "training": ("anneal", "mxnet", "torch"),
    "job": ("anneal", "mxnet"),
    "inference": ("anneal", "onnx"),
    "start": ("anneal", "mxnet", "torch"),
}
# For a row that is a job.
JOB_PROCESSES = 2
FRAMEWORKS = ("anneal", "mxnet", "torch", "onnx")
NAMES = {"anneal": "Anneal", "mxnet": "MXNet", "torch": "PyTorch", "onnx": "ONNX Runtime"}
TORCH_LAYOUTS = ("channels-last", "contiguous")


@dataclass(frozen=True)
class Row:
    """One network on one shape of batch."""
    name: str
    kind: str
    network: str
    num_layers: int
    image_shape: str        # of the batch, C,H,W
    batch_size: int
    imagenet_trunk: bool    # the 7x7 stem that MXNet builds for images above 32x32
    steps: int              # timed in each round; for a start: number of starts
    speed_goal: Optional[float] = None      # fastest peer's median / ours
    memory_goal: Optional[float] = None     # our peak / the leanest peer's

    @property
    def title(self):
        processes = f"{JOB_PROCESSES} processes of " if self.kind == "job" else ""
        network = f"{self.network}-{self.num_layers}" if self.num_layers else self.network
        return f"{processes}{network}, {self.image_shape}, batch {self.batch_size}"

    @property
    def variants(self):
        """Pairs of a framework and, of PyTorch's training, a layout."""
        return [(framework, layout) for framework in KINDS[self.kind]
                for layout in (TORCH_LAYOUTS if (framework, self.kind) == ("torch", "training")
                               else (None,))]


ROWS = [
    Row("resnext-101", "training", "resnext", 101, "3,28,28", 128, True, 4, 2.0, 0.5),
    Row("resnext-164", "training", "resnext", 164, "3,28,28", 64, False, 4, 2.5, 0.4),
    Row("resnext-110", "training", "resnext", 110, "3,28,28", 128, False, 4, 1.4, 0.5),
    Row("resnext-20", "training", "resnext", 20, "3,28,28", 128, False, 10, 1.5, 0.5),
    Row("resnet-50", "training", "resnet", 50, "3,224,224", 16, True, 3, 1.25, 0.6),
    Row("lenet", "training", "lenet", 0, "1,28,28", 64, False, 60, 2.5, 0.3),
    # MXNet's dist_sync: two workers, one server, on the same cores.
    Row("job-resnext-20", "job", "resnext", 20, "3,28,28", 64, False, 10, 2.0),
    Row("infer-resnet-50-1", "inference", "resnet", 50, "3,224,224", 1, True, 20),
    Row("infer-resnet-50-16", "inference", "resnet", 50, "3,224,224", 16, True, 4),
    Row("start-resnet-20", "start", "resnet", 20, "3,28,28", 128, False, 3),
]


def label(variant):
    framework, layout = variant
    return NAMES[framework] + (f" ({layout})" if layout else "")
