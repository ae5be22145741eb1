"""Read an epoch of records with PyTorch's DataLoader and torchvision's v2 transforms; prints images per second."""

import io
import struct
import time

from measure import argument_parser


def main():
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--records", required=True, metavar="PREFIX")
    parser.add_argument("--resized-crop", type=int, default=0)
    arguments = parser.parse_args()
    import torch
    # torchvision's wheel declares operators that a CPU-only torch does not have.
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from PIL import Image
    from torchvision.transforms import v2

    with open(arguments.records + ".idx", encoding="utf-8") as file:
        offsets = [int(line.split("\t")[1]) for line in file]
    side = arguments.image_shape[1]
    crop = (v2.RandomResizedCrop(side, scale=(0.08, 1), ratio=(0.75, 1.3333), antialias=True)
            if arguments.resized_crop else v2.RandomCrop(side, padding=4, fill=127))
    transform = v2.Compose([
        crop, v2.RandomHorizontalFlip(), v2.ToImage(), v2.ToDtype(torch.float32),
        v2.Normalize([123.68, 116.779, 103.939], [1, 1, 1])])

    class Records(torch.utils.data.Dataset):
        def __len__(self):
            return len(offsets)

        def __getitem__(self, number):
            with open(arguments.records + ".rec", "rb") as file:
                file.seek(offsets[number])
                _, word = struct.unpack("<II", file.read(8))
                payload = file.read(word & 0x1FFFFFFF)
            label = struct.unpack("<If", payload[:8])[1]
            return transform(Image.open(io.BytesIO(payload[24:])).convert("RGB")), label

    begin, count = time.monotonic(), 0
    loader = torch.utils.data.DataLoader(
        Records(), batch_size=128, shuffle=True, num_workers=arguments.threads)
    for data, _ in loader:
        count += len(data)
    print(f"images/s: {count / (time.monotonic() - begin):.1f}")


if __name__ == "__main__":
    main()
