"""Train the first batch of a symbol JSON on records in MXNet 1.9.1, as its train_cifar10.py does.

Run it inside .venv-mxnet; it says when the first batch is trained.
"""

import os

from measure import argument_parser


def parse_arguments():
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--symbol", required=True, metavar="FILE", help="a symbol JSON file")
    parser.add_argument("--records", required=True, metavar="PREFIX", help="of .rec and .idx")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    # MXNet reads this when it is imported.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    import mxnet as mx
    from mxnet_step import make_module

    batches = mx.io.ImageRecordIter(
        path_imgrec=arguments.records + ".rec", path_imgidx=arguments.records + ".idx",
        data_shape=arguments.image_shape, batch_size=arguments.batch_size, shuffle=True,
        mean_r=123.68, mean_g=116.779, mean_b=103.939, pad=4, fill_value=127,
        preprocess_threads=4)
    module = make_module(mx, arguments.symbol, (arguments.batch_size,) + arguments.image_shape)
    module.forward_backward(next(batches))
    module.update()
    mx.nd.waitall()
    print("First batch trained", flush=True)


if __name__ == "__main__":
    main()
