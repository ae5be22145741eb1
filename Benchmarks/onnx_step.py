"""Time forward passes of an ONNX file in ONNX Runtime on the CPU.

A pass takes one random batch. Run it inside .venv-onnx; it prints one JSON line.
"""

from measure import argument_parser, report, time_steps


def parse_arguments():
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, metavar="FILE", help="an ONNX file")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    session = onnxruntime.InferenceSession(arguments.model, options,
                                           providers=["CPUExecutionProvider"])
    shape = (arguments.batch_size,) + arguments.image_shape
    images = numpy.random.default_rng(1).uniform(-1, 1, shape).astype(numpy.float32)
    feed = {session.get_inputs()[0].name: images}
    seconds = time_steps(lambda: session.run(None, feed), arguments.warm_up, arguments.steps)
    report("onnx", onnxruntime.__version__, seconds, threads=arguments.threads)


if __name__ == "__main__":
    main()
