#!/usr/bin/env bash
# The main job on Fashion-MNIST (28x28, 60,000 + 10,000): conversion to records, training with a falling rate,
# fine-tuning with a new head, scoring. Usage: demo.sh ANNEAL [FOLDER]
set -euo pipefail
anneal=$1
folder=${2:-runs/demo}
source=/usr/share/datasets/fashion-mnist
say() { "$(dirname "$0")/say" "$@"; }
rm -rf "$folder"
mkdir -p "$folder"
begin=$(date +%s)

say "1. Convert Fashion-MNIST to RecordIO"
for part in train t10k; do
    "$anneal" import-mnist --images "$source/$part-images-idx3-ubyte.gz" --labels "$source/$part-labels-idx1-ubyte.gz" \
        "$folder/fashion_$part"
    # Four coarse classes for the fine-tuning: tops, trousers, shoes, bags.
    "$anneal" import-mnist --images "$source/$part-images-idx3-ubyte.gz" --labels "$source/$part-labels-idx1-ubyte.gz" \
        --label-map 0,1,0,0,0,2,0,2,3,2 "$folder/coarse_$part"
done

printf '%s\n' T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag "Ankle boot" >"$folder/classes.txt"
printf '%s\n' top trousers shoe bag >"$folder/coarse_classes.txt"

say "2. Train a small ResNet with a falling learning rate"
"$anneal" train --network resnet --num-layers 8 --image-shape 1,28,28 --num-classes 10 \
    --data-train "$folder/fashion_train.rec" --data-val "$folder/fashion_t10k.rec" \
    --class-names "$folder/classes.txt" --rgb-mean 72.9 --rgb-std 90 --pad-size 0 --random-mirror 1 \
    --batch-size 64 --num-epochs 6 --lr 0.05 --lr-factor 0.1 --lr-step-epochs 4,5 \
    --model-prefix "$folder/resnet-8" --run-folder "$folder/train"

say "3. Fine-tune it to a new head of four classes"
"$anneal" fine-tune --pretrained-model "$folder/resnet-8" --load-epoch 6 --num-classes 4 --image-shape 1,28,28 \
    --data-train "$folder/coarse_train.rec" --data-val "$folder/coarse_t10k.rec" \
    --class-names "$folder/coarse_classes.txt" --rgb-mean 72.9 --rgb-std 90 --batch-size 128 --num-epochs 1 --lr 0.01 --mom 0.9 \
    --model-prefix "$folder/coarse" --run-folder "$folder/fine-tune"

say "4. Score both"
"$anneal" score --model "$folder/resnet-8" --load-epoch 6 --data-val "$folder/fashion_t10k.rec" --output "$folder/score"
"$anneal" score --model "$folder/coarse" --load-epoch 1 --data-val "$folder/coarse_t10k.rec" --output "$folder/score-coarse"

say "Done in $(($(date +%s) - begin)) s. The run as a page: $folder/train/report.html, its curves: $folder/train/curves.png,
   the confusion matrix: $folder/score/confusion.png"
