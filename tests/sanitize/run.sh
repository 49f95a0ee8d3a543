#!/bin/sh
# run.sh SOURCE BUILD COMPILER…: builds norma with address and undefined-behaviour checks in the folder BUILD, which is kept
# for the next time, and works with it: faults that are planted must be reported, and none in a training, its going on, an
# evaluation, a prediction and files that are damaged.
set -u
source=$1
build=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export ASAN_OPTIONS=detect_leaks=1:exitcode=77 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=77

# fail FILE WORDS…: ends with these words, and what the file says.
fail() {
    said=$1
    shift
    echo "$*"
    head -n 60 "$said"
    exit 1
}
if [ ! -f "$build/build.ninja" ]; then
    CC="$*" meson setup "$build" "$source" -Disa=base -Db_sanitize=address,undefined -Db_lundef=false -Ddebug=false \
        -Doptimization=1 -Dc_args=-g1 -Ddefault_library=static >"$folder/said" 2>&1 || fail "$folder/said" "meson fails"
fi
targets=apps/norma\ tests/sanitize/planted\ tests/fuzz/made
for name in model option idx cifar image metrics table checkpoint hdf5; do
    targets="$targets tests/fuzz/fuzz_$name"
done
nice ninja -C "$build" $targets >"$folder/said" 2>&1 || fail "$folder/said" "ninja fails"
build=$(cd "$build" && pwd)
cd "$folder" || exit 1

# planted WHAT WORDS: it ends as a report of a sanitizer does, with these words.
planted() {
    "$build/tests/sanitize/planted" "$1" >said 2>&1
    status=$?
    [ $status = 77 ] && grep -q "$2" said || fail said "planted $1: status $status, and not '$2'"
}
planted end "heap-buffer-overflow"
planted overflow "signed integer overflow"

# run STATUS WORDS…: norma ends with this status, and no sanitizer has anything to say.
run() {
    expected=$1
    shift
    "$build/apps/norma" "$@" >said 2>&1 </dev/null
    status=$?
    [ $status = "$expected" ] && ! grep -qE 'Sanitizer|runtime error' said ||
        fail said "norma $*: status $status, expected $expected"
}
small="$source/tests/tsan/small.yaml"
run 0 train "$small" --threads 2 --steps 4 --run r
run 0 train --resume --threads 1 --steps 8 --run r
run 0 train "$small" --threads 3 --steps 3 --micro-batch 8 --recompute --watch c1/0 --run m
run 0 eval r
run 0 data digits --picture one.png
run 0 predict r one.png
run 0 summary "$small" --plan
run 0 verify "$small" --steps 3
# each damaged: half of it, and with other bytes in its middle
for file in r/last.h5 r/metrics.csv one.png "$small"; do
    size=$(wc -c <"$file")
    head -c $((size / 2)) "$file" >half
    { head -c $((size / 2)) "$file" && printf '\377\000\001\200\377' && tail -c +$((size / 2 + 6)) "$file"; } >other
    for damaged in half other; do
        case $file in
        r/last.h5) run 2 eval $damaged ;;
        r/metrics.csv) mkdir -p c && cp "$damaged" c/metrics.csv && run 2 plot c ;;
        one.png) run 2 predict r $damaged ;;
        *) run 2 summary ./$damaged ;;
        esac
    done
done
for target in "$build"/tests/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz_}
    "$target" --executions 100 "$build/tests/fuzz/$name" >said 2>&1 || fail said "fuzz_$name"
done
