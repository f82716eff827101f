#!/bin/sh
# Deep features of EmoDB and RAVDESS by extractors that never heard the speaker: begun on the other corpora of `multi`,
# continued on the corpus itself without the fold's speakers (about three quarters of an hour on two cores).
#
#   benchmarks/home.sh CORPORA MULTI WORK
#
# CORPORA as for train_multi.sh; MULTI: the folder it made; WORK: where results go. Needs the extras train and evaluate.
set -eu
here=$(dirname "$0")
corpora=$1 multi=$2 work=$3
mkdir -p "$work"
dsfx train "$corpora/emodb/labels.csv" -o "$work/home-emodb" --config "$here/home.toml" --folds loso \
  --start "$multi/folds/fold-00.npz" --licence 'CC BY-NC-SA 4.0' --seed 0 &
dsfx train "$corpora/ravdess/labels.csv" -o "$work/home-ravdess" --config "$here/home.toml" --epochs 20 --folds 6 \
  --start "$multi/folds/fold-01.npz" --licence 'CC BY-NC-SA 4.0' --seed 0
wait
for corpus in emodb ravdess; do
  dsfx extract "$corpora/$corpus/labels.csv" -o "$work/$corpus.parquet" -s eGeMAPSv02 -s ComParE_2016 --jobs 2
  dsfx evaluate "$work/home-$corpus" "$corpora/$corpus/labels.csv" -o "$work/report-$corpus" \
    --table "$work/$corpus.parquet" --set deep --set eGeMAPSv02 --set ComParE_2016 \
    --set eGeMAPSv02+deep --set ComParE_2016+deep --jobs 2
done
