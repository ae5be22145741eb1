"""What the residual networks of all peers are made of, as MXNet 1.9.1 builds them."""

# MXNet's settings for the residual networks; momentum is the share of the batch.
BATCH_NORM = {"eps": 2e-5, "momentum": 0.1}
TRUNK_FILTERS = [64, 256, 512, 1024, 2048]
TRUNK_UNITS = {50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}


def plan(layers, imagenet_trunk):
    """Units of each stage, filters before and after the stages, and whether units are bottlenecks."""
    if imagenet_trunk:
        return TRUNK_UNITS[layers], TRUNK_FILTERS, True
    if layers >= 164:
        return [(layers - 2) // 9] * 3, [16, 64, 128, 256], True
    return [(layers - 2) // 6] * 3, [16, 16, 32, 64], False
