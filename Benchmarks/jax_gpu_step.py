"""Time whole training steps of a network in JAX on a GPU.

A step is what torch_gpu_step times: forward, backward and the update of all
parameters by SGD with momentum, on one random batch that lies on the GPU as
8-bit pixels and is normalised there. Parameters are float32; in bfloat16 the
products and what flows between layers are. Prints one JSON line.
"""

import os
from functools import partial

from measure import add_network_options, argument_parser, report, time_steps

# The host runs ahead of the GPU within a group, as in training.
GROUP = 10


def parse_arguments():
    parser = argument_parser(__doc__.splitlines()[0])
    add_network_options(parser)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--deterministic", type=int, choices=(0, 1), default=1)
    arguments = parser.parse_args()
    if arguments.network == "lenet":
        parser.error("jax_networks has resnext and resnet only")
    return arguments


def main():
    arguments = parse_arguments()
    flags = os.environ.get("XLA_FLAGS", "")
    if arguments.deterministic:
        flags += " --xla_gpu_exclude_nondeterministic_ops=true"
    os.environ["XLA_FLAGS"] = flags
    import jax
    import jax.numpy as jnp
    from jax_networks import Layers, scores

    jax.config.update("jax_default_matmul_precision", "highest" if arguments.dtype == "float32" else None)
    run = partial(scores, network=arguments.network, depth=arguments.num_layers, classes=arguments.num_classes,
                  imagenet_trunk=arguments.trunk == "imagenet")
    channels, height, width = arguments.image_shape
    keys = jax.random.split(jax.random.key(1), 3)

    @jax.jit
    def make(key):
        layers = Layers(key=key)
        run(layers, jnp.zeros((1, height, width, channels)))
        return layers.parameters, layers.statistics

    def loss(parameters, statistics, pixels, labels):
        layers = Layers(parameters=parameters, statistics=statistics)
        images = ((pixels.astype(jnp.float32) - 127.5) / 127.5).astype(arguments.dtype)
        logarithms = jax.nn.log_softmax(run(layers, images))
        return -jnp.take_along_axis(logarithms, labels[:, None], 1).mean(), layers.new_statistics

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(parameters, momenta, statistics, pixels, labels):
        (value, statistics), gradients = jax.value_and_grad(loss, has_aux=True)(parameters, statistics, pixels, labels)
        momenta = [0.9 * m + g + 1e-4 * p for m, g, p in zip(momenta, gradients, parameters)]
        parameters = [p - 0.01 * m for p, m in zip(parameters, momenta)]
        return parameters, momenta, statistics, value

    parameters, statistics = make(keys[0])
    count = sum(value.size for value in parameters)
    momenta = [jnp.zeros_like(value) for value in parameters]
    shape = (arguments.batch_size, height, width, channels)
    pixels = jax.random.randint(keys[1], shape, 0, 256).astype(jnp.uint8)
    labels = jax.random.randint(keys[2], shape[:1], 0, arguments.num_classes)
    state, losses = [parameters, momenta, statistics], []
    del parameters, momenta, statistics

    def steps():
        for _ in range(GROUP):
            state[:] = step(*state[:3], pixels, labels)
        losses.append(float(state[3]))

    groups = time_steps(steps, -(-arguments.warm_up // GROUP), max(1, arguments.steps // GROUP))
    seconds = [group / GROUP for group in groups]
    device = jax.devices()[0]
    memory = device.memory_stats() or {}
    report("jax", jax.__version__, seconds, dtype=arguments.dtype, deterministic=arguments.deterministic,
           gpu=device.device_kind, peak_mb=memory.get("peak_bytes_in_use", 0) >> 20, parameters=count,
           losses=[losses[0], losses[-1]])


if __name__ == "__main__":
    main()
