#!/bin/sh
# Trains the model that ships as `multi` on four corpora, and leaving each corpus out once (about an hour on one core).
#
#   benchmarks/train_multi.sh CORPORA MODELDIR
#
# CORPORA: a folder with emodb, ravdess, nemo and emotiontts_kr, each with a labels.csv (columns file, speaker, emotion).
# Needs the extra `train`.
set -eu
corpus() { printf '%s/%s/labels.csv' "$corpora" "$1"; }
corpora=$1
exec dsfx train "$(corpus emodb)" "$(corpus ravdess)" "$(corpus nemo)" "$(corpus emotiontts_kr)" -o "$2" \
  --name multi --config "$(dirname "$0")/multi.toml" --folds corpus --jobs 2 --seed 0 --licence 'CC BY-NC-SA 4.0' \
  --corpus-licence CC0-1.0 --corpus-licence 'CC BY-NC-SA 4.0' --corpus-licence 'CC BY-NC-SA 4.0' \
  --corpus-licence 'CC BY-NC-SA 4.0' \
  --reference 'Burkhardt et al. 2005, A database of German emotional speech, Interspeech' \
  --reference 'Livingstone and Russo 2018, The Ryerson Audio-Visual Database of Emotional Speech and Song, PLoS ONE' \
  --reference 'Christop 2024, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING' \
  --reference 'EmotionTTS open DB, public part (Korean)' \
  --description 'Deep spectrum features for emotional speech, trained on four corpora in four languages.' \
  --note 'For research on emotion and other paralinguistic traits of speech: the features are input to a classifier of your own; compare them with hand-crafted sets on your data before relying on them.' \
  --note 'The results above are of networks that never heard the corpus: each was trained on the other three. The posteriors of another language and studio are poor; the features carry further: with a linear SVM, each speaker left out once, UA 77.8 % on EmoDB and 58.2 % on RAVDESS (ComParE_2016: 78.6 and 57.9 %, eGeMAPSv02: 65.3 and 49.3 %).' \
  --note 'Trained on acted emotions of 58 speakers, in German, English, Polish and Korean. For spontaneous speech, children, the elderly, noise or telephone channels nothing is known.' \
  --note 'The level of a recording is taken out, so loudness is not in the features; hand-crafted sets add it.' \
  --note 'Do not evaluate on these four corpora with these features: the network has heard every clip. `hashes.txt` tells which clips those are.' \
  --note 'Not for commercial use: the licence of three of the corpora extends to the weights.' \
  --note 'A posterior is not a person'"'"'s feeling. Not for decisions about people: hiring, policing, schooling, insurance, health, lie detection.'
