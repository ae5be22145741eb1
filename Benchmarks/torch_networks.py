"""The benchmark's networks in PyTorch, layer for layer as MXNet 1.9.1 builds them.

The order of the parameters is MXNet's order of arguments, so that their number
and shapes can be compared with a symbol's.
"""

from torch import nn
from torch.nn import functional as F

from residual_plans import BATCH_NORM, plan


def convolution(channels_in, channels_out, kernel, stride=1, padding=0, groups=1):
    return nn.Conv2d(channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False)


def batch_norm(channels):
    return nn.BatchNorm2d(channels, **BATCH_NORM)


def data_batch_norm(channels):
    """MXNet's bn_data: gamma is fixed to 1."""
    layer = batch_norm(channels)
    layer.weight.requires_grad_(False)
    return layer


class ResNeXtUnit(nn.Module):
    """A residual unit with the activation after the addition (Xie et al. 2017)."""

    def __init__(self, channels_in, channels_out, stride, same_shape, bottleneck, groups):
        super().__init__()
        self.bottleneck = bottleneck
        if bottleneck:
            middle = channels_out // 2
            self.conv1 = convolution(channels_in, middle, 1)
            self.bn1 = batch_norm(middle)
            self.conv2 = convolution(middle, middle, 3, stride, 1, groups)
            self.bn2 = batch_norm(middle)
            self.conv3 = convolution(middle, channels_out, 1)
            self.bn3 = batch_norm(channels_out)
        else:
            self.conv1 = convolution(channels_in, channels_out, 3, stride, 1)
            self.bn1 = batch_norm(channels_out)
            self.conv2 = convolution(channels_out, channels_out, 3, 1, 1)
            self.bn2 = batch_norm(channels_out)
        self.shortcut = nn.Identity() if same_shape else nn.Sequential(
            convolution(channels_in, channels_out, 1, stride), batch_norm(channels_out))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.bottleneck:
            y = self.bn3(self.conv3(F.relu(y, inplace=True)))
        # Batch norm's backward needs its input, not its output: this may be overwritten.
        y += self.shortcut(x)
        return F.relu(y, inplace=True)


class ResNetUnit(nn.Module):
    """A residual unit with the activation before the convolutions (He et al. 2016)."""

    def __init__(self, channels_in, channels_out, stride, same_shape, bottleneck):
        super().__init__()
        self.bottleneck = bottleneck
        self.bn1 = batch_norm(channels_in)
        if bottleneck:
            middle = channels_out // 4
            self.conv1 = convolution(channels_in, middle, 1)
            self.bn2 = batch_norm(middle)
            self.conv2 = convolution(middle, middle, 3, stride, 1)
            self.bn3 = batch_norm(middle)
            self.conv3 = convolution(middle, channels_out, 1)
        else:
            self.conv1 = convolution(channels_in, channels_out, 3, stride, 1)
            self.bn2 = batch_norm(channels_out)
            self.conv2 = convolution(channels_out, channels_out, 3, 1, 1)
        self.shortcut = None if same_shape else convolution(channels_in, channels_out, 1, stride)

    def forward(self, x):
        activated = F.relu(self.bn1(x), inplace=True)
        y = self.conv2(F.relu(self.bn2(self.conv1(activated)), inplace=True))
        if self.bottleneck:
            y = self.conv3(F.relu(self.bn3(y), inplace=True))
        y += x if self.shortcut is None else self.shortcut(activated)
        return y


def stem(channels, filters, imagenet_trunk):
    """What comes before the first unit: 3x3, or the 7x7 trunk for large images."""
    if not imagenet_trunk:
        return [data_batch_norm(channels), convolution(channels, filters, 3, 1, 1)]
    return [data_batch_norm(channels), convolution(channels, filters, 7, 2, 3),
            batch_norm(filters), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]


def stages(units, filters, make_unit):
    """All units of all stages; the first of each stage changes the shape."""
    layers = []
    for stage, count in enumerate(units):
        channels_in, channels_out = filters[stage], filters[stage + 1]
        layers.append(make_unit(channels_in, channels_out, 1 if stage == 0 else 2, False))
        layers += [make_unit(channels_out, channels_out, 1, True) for _ in range(count - 1)]
    return layers


def head(filters, classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(filters, classes)]


def resnext(layers, channels, classes, imagenet_trunk, groups=32):
    units, filters, bottleneck = plan(layers, imagenet_trunk)

    def unit(channels_in, channels_out, stride, same_shape):
        return ResNeXtUnit(channels_in, channels_out, stride, same_shape, bottleneck, groups)

    return nn.Sequential(*stem(channels, filters[0], imagenet_trunk),
                         *stages(units, filters, unit), *head(filters[-1], classes))


def resnet(layers, channels, classes, imagenet_trunk):
    """MXNet's pre-activation ResNet."""
    units, filters, bottleneck = plan(layers, imagenet_trunk)

    def unit(channels_in, channels_out, stride, same_shape):
        return ResNetUnit(channels_in, channels_out, stride, same_shape, bottleneck)

    return nn.Sequential(*stem(channels, filters[0], imagenet_trunk),
                         *stages(units, filters, unit), batch_norm(filters[-1]), nn.ReLU(inplace=True),
                         *head(filters[-1], classes))


def lenet(channels, classes):
    """For images of 28x28."""
    return nn.Sequential(
        nn.Conv2d(channels, 20, 5), nn.Tanh(), nn.MaxPool2d(2, 2),
        nn.Conv2d(20, 50, 5), nn.Tanh(), nn.MaxPool2d(2, 2),
        nn.Flatten(), nn.Linear(50 * 4 * 4, 500), nn.Tanh(), nn.Linear(500, classes))


def build(network, layers, image_shape, classes, imagenet_trunk):
    """The network of a benchmark row; `image_shape` is that of one image, C H W."""
    channels = image_shape[0]
    if network == "resnext":
        return resnext(layers, channels, classes, imagenet_trunk)
    if network == "resnet":
        return resnet(layers, channels, classes, imagenet_trunk)
    if network == "lenet" and image_shape[1:] == (28, 28):
        return lenet(channels, classes)
    raise SystemExit(f"torch_networks: no {network} for images of {image_shape}")
