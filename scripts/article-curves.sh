#!/usr/bin/env bash
# The experiments of the 2017 article in small: a ResNeXt is trained on CIFAR-10 at a fixed rate, at a rate that falls
# by a tenth twelve times, and with AdaDelta; each from scratch and fine-tuned from a network that was trained on five
# of the classes. All six validation curves are drawn in one picture.
#
# Usage: article-curves.sh ANNEAL DATA [FOLDER]
#   DATA holds cifar10_train.rec and cifar10_val.rec. EPOCHS (24; a multiple of 12), PRETRAIN_EPOCHS (20), LAYERS (20),
#   BATCH (128) and EVERY (1; one training image of so many) may be set in the environment.
set -euo pipefail
anneal=$1
data=$2
folder=${3:-runs/article}
here=$(cd "$(dirname "$0")" && pwd)
epochs=${EPOCHS:-24} pretrain_epochs=${PRETRAIN_EPOCHS:-20} layers=${LAYERS:-20} batch=${BATCH:-128} every=${EVERY:-1}
say() { "$here/say" "$@"; }

for part in train val; do
    [ -f "$data/cifar10_$part.rec" ] || { echo "article-curves: $data/cifar10_$part.rec does not exist" >&2; exit 1; }
done
[ $((epochs % 12)) = 0 ] || { echo "article-curves: EPOCHS is $epochs; give a multiple of 12" >&2; exit 1; }
rm -rf "$folder"
mkdir -p "$folder"

# All runs have the same network, data, batch, augmentation and weight decay.
common=(--image-shape 3,28,28 --batch-size "$batch" --pad-size 4 --random-crop 1 --random-mirror 1 --wd 1e-4)

say "Five of the ten classes"
for part in train val; do
    "$here/select-classes.py" "$data/cifar10_$part.rec" "$folder/half_$part" 0,1,2,3,4 "$every"
done
"$here/select-classes.py" "$data/cifar10_train.rec" "$folder/all_train" 0,1,2,3,4,5,6,7,8,9 "$every"
"$anneal" train --network resnext --num-layers "$layers" --num-classes 5 "${common[@]}" \
    --data-train "$folder/half_train.rec" --data-val "$folder/half_val.rec" --num-epochs "$pretrain_epochs" \
    --mom 0.9 --lr 0.05 --lr-step-epochs "$((pretrain_epochs * 3 / 4))" \
    --model-prefix "$folder/half" --save-period "$pretrain_epochs" --run-folder "$folder/five-classes"

# The article's 300 epochs, with a rate that falls every 25, compressed into fewer.
steps=$(seq -s, $((epochs / 12)) $((epochs / 12)) "$epochs")
rules=(fixed falling adadelta)
fixed=(--mom 0.9 --lr 0.05 --lr-factor 1)
falling=(--mom 0.9 --lr 0.05 --lr-factor 0.9 --lr-step-epochs "$steps")
adadelta=(--optimizer adadelta)
for rule in "${rules[@]}"; do
    declare -n flags=$rule
    data_flags=(--num-classes 10 --data-train "$folder/all_train.rec" --data-val "$data/cifar10_val.rec" --num-epochs "$epochs")
    say "From scratch, $rule"
    "$anneal" train --network resnext --num-layers "$layers" "${common[@]}" "${data_flags[@]}" "${flags[@]}" \
        --run-folder "$folder/scratch-$rule"
    say "Fine-tuned, $rule"
    "$anneal" fine-tune --pretrained-model "$folder/half" --load-epoch "$pretrain_epochs" "${common[@]}" \
        "${data_flags[@]}" "${flags[@]}" --run-folder "$folder/tuned-$rule"
done

runs=() labels=""
for start in scratch tuned; do
    for rule in "${rules[@]}"; do
        runs+=("$folder/$start-$rule")
        labels+="${labels:+,}$start: $rule"
    done
done
for ending in svg png; do
    "$anneal" plot-curves "${runs[@]}" --labels "$labels" \
        --title "ResNeXt-$layers on CIFAR-10: fixed rate, falling rate, AdaDelta" --to "$folder/curves.$ending"
done
