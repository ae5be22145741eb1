#!/usr/bin/env bash
# What fine-tuning gains: a small ResNeXt learns five classes of CIFAR-10, is fine-tuned to all ten, and is compared with the
# same network trained from scratch for as many epochs on the same data. Both validation curves go into one picture.
#
# Usage: fine-tune-curves.sh ANNEAL DATA [FOLDER]
#   DATA holds cifar10_train.rec and cifar10_val.rec. PRETRAIN_EPOCHS (20), EPOCHS (10), LAYERS (20), BATCH (128) and EVERY
#   (1; one training image of so many, for a trial) may be set in the environment.
set -euo pipefail
anneal=$1
data=$2
folder=${3:-runs/fine-tune-curves}
here=$(cd "$(dirname "$0")" && pwd)
pretrain_epochs=${PRETRAIN_EPOCHS:-20} epochs=${EPOCHS:-10} layers=${LAYERS:-20} batch=${BATCH:-128} every=${EVERY:-1}
say() { "$here/say" "$@"; }

for part in train val; do
    [ -f "$data/cifar10_$part.rec" ] || { echo "fine-tune-curves: $data/cifar10_$part.rec does not exist" >&2; exit 1; }
done
rm -rf "$folder"
mkdir -p "$folder"

# Every run has the same network, data, batch, augmentation and optimizer.
common=(--image-shape 3,28,28 --batch-size "$batch" --pad-size 4 --random-crop 1 --random-mirror 1 --mom 0.9 --wd 1e-4)

say "1. Five of the ten classes"
for part in train val; do
    "$here/select-classes.py" "$data/cifar10_$part.rec" "$folder/half_$part" 0,1,2,3,4 "$every"
done
"$here/select-classes.py" "$data/cifar10_train.rec" "$folder/all_train" 0,1,2,3,4,5,6,7,8,9 "$every"

say "2. Train ResNeXt-$layers on them"
"$anneal" train --network resnext --num-layers "$layers" --num-classes 5 "${common[@]}" \
    --data-train "$folder/half_train.rec" --data-val "$folder/half_val.rec" --num-epochs "$pretrain_epochs" \
    --lr 0.05 --lr-step-epochs "$((pretrain_epochs * 3 / 4))" \
    --model-prefix "$folder/half" --save-period "$pretrain_epochs" --run-folder "$folder/pre-training"

# The same rate for both, which falls once.
schedule=(--num-epochs "$epochs" --lr 0.02 --lr-step-epochs "$((epochs * 3 / 4))")

say "3. Fine-tune to ten classes"
"$anneal" fine-tune --pretrained-model "$folder/half" --load-epoch "$pretrain_epochs" --num-classes 10 "${common[@]}" \
    --data-train "$folder/all_train.rec" --data-val "$data/cifar10_val.rec" "${schedule[@]}" \
    --run-folder "$folder/fine-tuned"

say "4. The same network from scratch"
"$anneal" train --network resnext --num-layers "$layers" --num-classes 10 "${common[@]}" \
    --data-train "$folder/all_train.rec" --data-val "$data/cifar10_val.rec" "${schedule[@]}" \
    --run-folder "$folder/from-scratch"

for ending in svg png; do
    "$anneal" plot-curves "$folder/fine-tuned" "$folder/from-scratch" --labels "fine-tuned,from scratch" \
        --title "ResNeXt-$layers on CIFAR-10, pre-trained on five classes" --to "$folder/curves.$ending"
done
