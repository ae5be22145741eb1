"""Time whole training steps of a symbol JSON in MXNet 1.9.1 on the CPU.

A step is forward, backward and the update of all parameters by SGD with
momentum, on one random batch. Run it inside .venv-mxnet; it prints one JSON
line. The symbol has the inputs `data` and `softmax_label`.
"""

import math
import os

from measure import argument_parser, report, time_steps


def parse_arguments():
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--symbol", required=True, metavar="FILE", help="a symbol JSON file")
    parser.add_argument("--kv-store", default="local", help="dist_sync: of a job (see mxnet_job.py)")
    return parser.parse_args()


def make_module(mx, symbol_path, data_shape, store):
    """A module bound for training, initialised as MXNet's image-classification scripts do."""
    module = mx.mod.Module(mx.sym.load(symbol_path), context=mx.cpu())
    module.bind([("data", data_shape)], [("softmax_label", data_shape[:1])], for_training=True)
    module.init_params(mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2))
    module.init_optimizer(kvstore=store, optimizer="sgd",
                          optimizer_params={"learning_rate": 0.01, "momentum": 0.9, "wd": 1e-4})
    return module


def count_parameters(symbol, data_shape):
    """The number of learned values: all arguments but the two inputs."""
    shapes, _, _ = symbol.infer_shape(data=data_shape, softmax_label=data_shape[:1])
    inputs = ("data", "softmax_label")
    return sum(math.prod(shape) for name, shape in zip(symbol.list_arguments(), shapes)
               if name not in inputs)


def main():
    arguments = parse_arguments()
    # MXNet reads this when it is imported.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import mxnet as mx

    mx.random.seed(1)
    data_shape = (arguments.batch_size,) + arguments.image_shape
    module = make_module(mx, arguments.symbol, data_shape, arguments.kv_store)
    classes = module.output_shapes[0][1][1]
    batch = mx.io.DataBatch(
        data=[mx.nd.random.uniform(-1, 1, shape=data_shape)],
        label=[mx.nd.random.randint(0, classes, shape=data_shape[:1]).astype("float32")])
    mx.nd.waitall()

    def step():
        module.forward_backward(batch)
        module.update()
        mx.nd.waitall()

    seconds = time_steps(step, arguments.warm_up, arguments.steps)
    report("mxnet", mx.__version__, seconds, threads=arguments.threads, classes=classes,
           parameters=count_parameters(module.symbol, data_shape))


if __name__ == "__main__":
    main()
