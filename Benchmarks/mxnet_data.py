"""Read an epoch of records with MXNet 1.9.1's ImageRecordIter; prints images per second."""

import time

from measure import argument_parser


def main():
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--records", required=True, metavar="PREFIX")
    parser.add_argument("--resized-crop", type=int, default=0)
    arguments = parser.parse_args()
    import mxnet as mx

    more = (dict(random_resized_crop=True, min_random_area=0.08, min_aspect_ratio=0.75, max_aspect_ratio=1.3333)
            if arguments.resized_crop else dict(pad=4, fill_value=127, rand_crop=True))
    # The iterator starts prefetching as soon as it is created.
    begin, count = time.monotonic(), 0
    batches = mx.io.ImageRecordIter(
        path_imgrec=arguments.records + ".rec", path_imgidx=arguments.records + ".idx",
        data_shape=arguments.image_shape, batch_size=128, shuffle=True, rand_mirror=True, round_batch=False,
        mean_r=123.68, mean_g=116.779, mean_b=103.939, preprocess_threads=arguments.threads, **more)
    for batch in batches:
        batch.data[0].wait_to_read()
        count += 128 - batch.pad
    print(f"images/s: {count / (time.monotonic() - begin):.1f}")


if __name__ == "__main__":
    main()
