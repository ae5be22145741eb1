"""The benchmark's residual networks in JAX, layer for layer as torch_networks has them.

Images and weights have their channels last, as XLA wants them on GPUs. Parameters
are float32; products are computed in the type of the images.
"""

import jax
import jax.numpy as jnp
from jax import lax

from residual_plans import BATCH_NORM, plan


class Layers:
    """Runs layers on parameters and statistics, in order; without any, it makes them on the way."""

    def __init__(self, key=None, parameters=(), statistics=()):
        self.key = key
        self.parameters = list(parameters)
        self.statistics = list(statistics)
        self.given = iter(self.parameters)
        self.given_statistics = iter(self.statistics)
        self.new_statistics = []

    def parameter(self, shape, start=0.0, scale=0.0):
        """A parameter that begins with normal numbers around a start."""
        if self.key is None:
            return next(self.given)
        self.key, key = jax.random.split(self.key)
        value = start + scale * jax.random.normal(key, shape)
        self.parameters.append(value)
        return value

    def statistic(self, shape, start):
        if self.key is None:
            return next(self.given_statistics)
        value = jnp.full(shape, start)
        self.statistics.append(value)
        return value

    def convolution(self, x, filters, kernel, stride=1, padding=0, groups=1):
        shape = (kernel, kernel, x.shape[-1] // groups, filters)
        weight = self.parameter(shape, scale=(2 / (kernel * kernel * shape[2])) ** 0.5)
        return lax.conv_general_dilated(
            x, weight.astype(x.dtype), (stride, stride), [(padding, padding)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups)

    def batch_norm(self, x, fix_gamma=False):
        channels = x.shape[-1:]
        gamma, beta = self.parameter(channels, start=1.0), self.parameter(channels)
        if fix_gamma:
            gamma = lax.stop_gradient(gamma)
        wide = x.astype(jnp.float32)
        mean, variance = wide.mean((0, 1, 2)), wide.var((0, 1, 2))
        share = BATCH_NORM["momentum"]
        for value, start in ((mean, 0.0), (variance, 1.0)):
            old = self.statistic(channels, start)
            self.new_statistics.append(lax.stop_gradient((1 - share) * old + share * value))
        normal = (wide - mean) * lax.rsqrt(variance + BATCH_NORM["eps"])
        return (normal * gamma + beta).astype(x.dtype)

    def dense(self, x, outputs):
        weight = self.parameter((x.shape[-1], outputs), scale=x.shape[-1] ** -0.5)
        return x @ weight.astype(x.dtype) + self.parameter((outputs,)).astype(x.dtype)


def resnext_unit(layers, x, filters, stride, same_shape, bottleneck):
    if bottleneck:
        y = layers.convolution(x, filters // 2, 1)
        y = jax.nn.relu(layers.batch_norm(y))
        y = layers.convolution(y, filters // 2, 3, stride, 1, groups=32)
        y = jax.nn.relu(layers.batch_norm(y))
        y = layers.batch_norm(layers.convolution(y, filters, 1))
    else:
        y = jax.nn.relu(layers.batch_norm(layers.convolution(x, filters, 3, stride, 1)))
        y = layers.batch_norm(layers.convolution(y, filters, 3, 1, 1))
    shortcut = x if same_shape else layers.batch_norm(layers.convolution(x, filters, 1, stride))
    return jax.nn.relu(y + shortcut)


def resnet_unit(layers, x, filters, stride, same_shape, bottleneck):
    """With the activation before the convolutions."""
    activated = jax.nn.relu(layers.batch_norm(x))
    if bottleneck:
        y = layers.convolution(activated, filters // 4, 1)
        y = layers.convolution(jax.nn.relu(layers.batch_norm(y)), filters // 4, 3, stride, 1)
        y = layers.convolution(jax.nn.relu(layers.batch_norm(y)), filters, 1)
    else:
        y = layers.convolution(activated, filters, 3, stride, 1)
        y = layers.convolution(jax.nn.relu(layers.batch_norm(y)), filters, 3, 1, 1)
    return y + (x if same_shape else layers.convolution(activated, filters, 1, stride))


def scores(layers, x, network, depth, classes, imagenet_trunk):
    """The classes' scores in float32; `network` is resnext or resnet."""
    units, filters, bottleneck = plan(depth, imagenet_trunk)
    x = layers.batch_norm(x, fix_gamma=True)
    if imagenet_trunk:
        x = jax.nn.relu(layers.batch_norm(layers.convolution(x, filters[0], 7, 2, 3)))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])
    else:
        x = layers.convolution(x, filters[0], 3, 1, 1)
    unit = resnext_unit if network == "resnext" else resnet_unit
    for stage, count in enumerate(units):
        for index in range(count):
            x = unit(layers, x, filters[stage + 1], 2 if stage > 0 and index == 0 else 1, index > 0, bottleneck)
    if network == "resnet":
        x = jax.nn.relu(layers.batch_norm(x))
    return layers.dense(x.mean((1, 2)), classes).astype(jnp.float32)
