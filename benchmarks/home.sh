#!/bin/sh
# Deep features next to eGeMAPSv02 and ComParE_2016 on EmoDB and RAVDESS, by extractors that never heard the speaker, or
# never heard the corpus (three hours on one core, nearly all of it for training).
#
#   benchmarks/home.sh CORPORA MULTI WORK
#
# CORPORA as for train_multi.sh; MULTI: the folder that it made; WORK: where results go. Needs the extras train and evaluate.
set -eu
here=$(dirname "$0")
corpora=$1 multi=$2 work=$3
mkdir -p "$work"
# EmoDB at home: each speaker left out, the default recipe, beside two networks that learned from the other three corpora.
sed 's/^members = 1$/members = 2/' "$here/multi.toml" > "$work/others.toml"
dsfx train "$corpora/ravdess/labels.csv" "$corpora/nemo/labels.csv" "$corpora/emotiontts_kr/labels.csv" \
  -o "$work/others" --config "$work/others.toml" --jobs 2 --licence 'CC BY-NC-SA 4.0' --seed 0
dsfx train "$corpora/emodb/labels.csv" -o "$work/trained-emodb" --folds loso --beside "$work/others" \
  --licence 'CC BY-NC-SA 4.0' --seed 0
# RAVDESS at home: six groups of four speakers, begun with the network that learned from the other three corpora.
dsfx train "$corpora/ravdess/labels.csv" -o "$work/trained-ravdess" --config "$here/home.toml" --folds 6 \
  --start "$multi/folds/fold-01.npz" --licence 'CC BY-NC-SA 4.0' --seed 0
for corpus in emodb ravdess; do
  labels=$corpora/$corpus/labels.csv
  crafted=$work/$corpus.parquet
  dsfx extract "$labels" -o "$crafted" -s eGeMAPSv02 -s ComParE_2016
  # In the table of `multi` every clip's features are by the one network that never heard its corpus.
  dsfx evaluate "$multi/oof.parquet" "$labels" -o "$work/away-$corpus" --table "$crafted" --jobs 2 \
    --set deep --set eGeMAPSv02 --set ComParE_2016 --set ComParE_2016+deep
  dsfx evaluate "$work/trained-$corpus" "$labels" -o "$work/home-$corpus" --table "$crafted" --jobs 2 \
    --set deep --set eGeMAPSv02 --set ComParE_2016 --set ComParE_2016+deep
done
# The two that stand beside, on EmoDB by themselves.
dsfx extract "$corpora/emodb/labels.csv" -o "$work/emodb-others.parquet" -s "deep:$work/others"
dsfx evaluate "$work/emodb-others.parquet" "$corpora/emodb/labels.csv" -o "$work/away-emodb-two" --table "$work/emodb.parquet" \
  --set deep:others --set ComParE_2016 --set ComParE_2016+deep:others
