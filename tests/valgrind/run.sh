#!/bin/sh
# run.sh NORMA: memcheck over a small training, its going on, an evaluation, a prediction and a summary: no wrong access, no
# use of what nobody wrote, no memory lost for good, in norma and in the processes that it starts.
set -u
norma=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
cat >small.yaml <<'END'
name: small
input: {height: 28, width: 28, channels: 1}
layers:
  - {name: c1, conv: {filters: 4, kernel: 3, stride: 2}}
  - batchnorm: {}
  - relu: {}
  - dropout: {rate: 0.2}
  - gap: {}
  - {name: logits, dense: {units: 10}}
loss: softmax_ce
train: {data: digits, limit: 32, epochs: 1, batch: 8, optimizer: {adam: {lr: 0.01}}, augment: [pad-crop=2], save_every: 2s}
END
"$norma" data digits --picture one.png >picture 2>&1 || { cat picture; exit 1; }

# check WORDS…
check() {
    valgrind -q --error-exitcode=77 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --child-silent-after-fork=no --trace-children=yes "$norma" "$@" >out 2>err
    status=$?
    [ $status = 0 ] && ! grep -q '^==' err && return
    echo "norma $*: status $status"
    head -n 60 err
    exit 1
}
check train small.yaml --threads 2 --steps 2 --run r
check train --resume --threads 1 --steps 4 --run r
check eval r --threads 1
check predict r one.png
check summary small.yaml
