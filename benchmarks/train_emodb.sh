#!/bin/sh
# Trains the model that ships as `emodb`, and judges its recipe leaving one speaker out (about an hour on one core).
#
#   benchmarks/train_emodb.sh EMODB/labels.csv MODELDIR
#
# EMODB/labels.csv: columns file, speaker, emotion; the recordings at 16 kHz. Needs the extra `train`.
set -eu
exec dsfx train "$1" -o "$2" --name emodb --config "$(dirname "$0")/emodb.toml" --folds loso --seed 0 \
  --licence Apache-2.0 --corpus 'EmoDB (Berlin Database of Emotional Speech)' --corpus-licence CC0-1.0 \
  --reference 'Burkhardt et al. 2005, A database of German emotional speech, Interspeech' \
  --description 'Deep spectrum features for emotional speech, trained on the Berlin Database of Emotional Speech (EmoDB).' \
  --note 'For research on emotion and other paralinguistic traits of speech: the features are input to a classifier of your own; compare them with hand-crafted sets on your data before relying on them.' \
  --note 'Trained on 25 minutes of ten German actors aged 21 to 35, who spoke ten sentences in a studio. The posteriors name acted, full-blown emotions; for spontaneous speech, other languages, children, the elderly, noise or telephone channels expect them to be much worse than the numbers above.' \
  --note 'The level of a recording is taken out, so loudness is not in the features; hand-crafted sets add it.' \
  --note 'Do not evaluate on EmoDB with these features: the network has heard every clip and every speaker. `hashes.txt` tells which clips those are; `dsfx train --folds` makes extractors that have not.' \
  --note 'A posterior is not a person'"'"'s feeling. Not for decisions about people: hiring, policing, schooling, insurance, health, lie detection.'
