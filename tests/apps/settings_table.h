/* For every flag of every command: two command lines that differ in it alone, and where the
 * difference shows. test_settings_table.c runs them. */
#ifndef SETTINGS_TABLE_H
#define SETTINGS_TABLE_H

#include <stddef.h>

/* What is looked at after a command, as shell words; `out` and `err` are what it said. The run is
 * in r, or those of an experiment in r/ARM. */
#define OUT "cat out"
#define REFUSAL "cat err status"
#define CURVES "cat r/metrics.csv r/*/metrics.csv 2>/dev/null | cut -d, -f1-7"
#define WATCHED "cat r/watch.csv r/*/watch.csv 2>/dev/null"
#define FILES "find r | sort"
#define MODEL "cat r/model.yaml"
#define PLACES "grep '^1 process' err"
#define OUTPUT "sha256sum o.h5"
#define PICTURES "cd r && sha256sum *"
/* Not of the shell: most memory it had, which must differ by a quarter; threads it has started. */
#define MEMORY "memory"
#define THREADS "threads"

#define VERIFY "verify m.yaml --steps 4"
#define DIFFERENT_RUN "train m.yaml --run r --seed 5 --optimizer adam"

/* A key of `train:` and flag of train and compare: `flags` stand on both command lines. */
typedef struct key_row {
    const char *name, *value, *flags, *see;
} key_row;

#define IMAGES "--data images:pics"
/* Activations of some 100 MB. */
#define LARGE "--set c1.filters=64 --limit 2000 --batch 2000 --without batchnorm"

static const key_row key_rows[] = {
    {"data", "images:pics", "", CURVES},
    {"epochs", "2", "", CURVES},
    {"steps", "3", "", CURVES},
    {"batch", "16", "", CURVES},
    {"micro_batch", "50", LARGE, MEMORY},
    {"shards", "4", "--batch 32 --limit 96", CURVES},
    {"recompute", "true", "", CURVES},
    {"exact", "true", "", CURVES},
    {"storage", "bf16", "", CURVES},
    {"no_fuse", "true", "", CURVES},
    {"eval_batch", "2000", "", MEMORY},
    {"optimizer", "adam", "", CURVES},
    {"schedule", "cosine", "", CURVES},
    {"lr", "0.01", "", CURVES},
    {"momentum", "0.5", "", CURVES},
    {"l2", "0.01", "", CURVES},
    {"l2_all", "true", "--l2 0.1", CURVES},
    {"clip_norm", "0.1", "", CURVES},
    {"warmup", "3", "", CURVES},
    {"augment", "flip", "", CURVES},
    {"resize", "bilinear", IMAGES, CURVES},
    {"fit", "crop", IMAGES, CURVES},
    {"background", "white", IMAGES, CURVES},
    {"orient", "true", IMAGES, CURVES},
    {"binary", "true", "", CURVES},
    {"seed", "2", "", CURVES},
    {"limit", "96", "", CURVES},
    {"shuffle", "false", "", CURVES},
    {"save_every", "2s", "--keep 9", FILES},
    {"keep", "9", "--save-every 1s", FILES},
    {"init_from", "t/last.h5", "", CURVES},
    {"freeze", "c1/*", "", CURVES},
    {"without", "batchnorm", "", CURVES},
    {"watch", "c2/0", "--watch-every 2", WATCHED},
    {"watch_every", "1", "--watch c2/0", WATCHED},
    {"eval_every", "2", "", CURVES},
    {"population_batches", "2", "--set c1.batchnorm.statistics=population", CURVES},
};

/* `first` makes what both command lines find. t is a trained run, in.h5 a batch, pics a folder of
 * images by class. */
typedef struct flag_row {
    const char *command, *flag, *first, *without, *with, *see;
} flag_row;

#define ARMS "compare m.yaml --run r --vary logits.bias=true,false"
#define GRADIENTS "gradcheck m.yaml --samples 3 --json"
/* So small that the most steps that are timed take less than a second. */
#define BENCH "bench m.yaml --seconds 0.2 --batch 1 --set input.height=14 --set input.width=14"
#define LAYERS BENCH " --layers --json"
#define TRACE "trace t/last.h5 --input in.h5 --output o.h5"
#define TRACE_MODEL "trace m.yaml --input in.h5 --output o.h5"
#define VISUALIZE "visualize t --output r"
/* Refused by --max-memory 1, and taken without. */
#define BOUND "grep -c -e --max-memory err; cat status"
#define LARGE_DATA " --data images:large"
/* Of what bench says, what is not measured. */
#define FACTS "grep -oE '\"(batch|threads|multiply_adds)\":[0-9]*|\"chosen\":\"[^\"]*' out; ls roof.csv"

static const flag_row flag_rows[] = {
    {"train", "run", NULL, "train m.yaml", "train m.yaml --run r", FILES},
    {"train", "resume", "train m.yaml --run r --steps 2", "train m.yaml --run r", "train --run r --resume", REFUSAL},
    {"train", "allow-change", "train m.yaml --run r --steps 2", "train m.yaml --run r --resume --augment flip",
     "train m.yaml --run r --resume --augment flip --allow-change augment", REFUSAL},
    {"train", "verbose", NULL, "train m.yaml --run r", "train m.yaml --run r --verbose", PLACES},
    {"train", "tune", NULL, "train m.yaml --run r", "train m.yaml --run r --tune", MODEL},
    {"train", "set", NULL, "train m.yaml --run r", "train m.yaml --run r --set train.lr=0.01", CURVES},
    {"train", "threads", NULL, "train m.yaml --run r --threads 1", "train m.yaml --run r --threads 9", THREADS},
    {"train", "max-memory", NULL, "train m.yaml --run r" LARGE_DATA,
     "train m.yaml --run r" LARGE_DATA " --max-memory 1", BOUND},

    {"compare", "vary", NULL, ARMS, ARMS " --vary c2.filters=4,8", FILES},
    {"compare", "run", NULL, "compare m.yaml --vary lr=0.1,0.2", "compare m.yaml --vary lr=0.1,0.2 --run r", FILES},
    {"compare", "resume", ARMS, ARMS, ARMS " --resume", REFUSAL},
    {"compare", "allow-change", ARMS, ARMS " --resume --augment flip",
     ARMS " --resume --augment flip --allow-change augment", REFUSAL},
    {"compare", "json", NULL, ARMS, ARMS " --json", "head -c 1 out"},
    {"compare", "set", NULL, ARMS, ARMS " --set train.lr=0.01", CURVES},
    {"compare", "threads", NULL, ARMS " --threads 1", ARMS " --threads 9", THREADS},
    {"compare", "max-memory", NULL, ARMS LARGE_DATA, ARMS LARGE_DATA " --max-memory 1", BOUND},

    {"eval", "data", NULL, "eval t", "eval t --data images:pics", OUT},
    {"eval", "limit", NULL, "eval t", "eval t --limit 100", OUT},
    {"eval", "batch", NULL, "eval t", "eval t --batch 2000", MEMORY},
    {"eval", "threads", NULL, "eval t --threads 1", "eval t --threads 9", THREADS},
    {"eval", "json", NULL, "eval t", "eval t --json", OUT},
    {"eval", "max-memory", NULL, "eval t" LARGE_DATA, "eval t" LARGE_DATA " --max-memory 1", BOUND},

    {"predict", "top", NULL, "predict t pics/0/0.png", "predict t pics/0/0.png --top 2", OUT},
    {"predict", "invert", NULL, "predict t pics/0/0.png", "predict t pics/0/0.png --invert", OUT},
    {"predict", "threads", NULL, "predict t pics/0/*.png --threads 1", "predict t pics/0/*.png --threads 9", THREADS},
    {"predict", "json", NULL, "predict t pics/0/0.png", "predict t pics/0/0.png --json", OUT},
    {"predict", "max-memory", NULL, "predict t large/0/0.png",
     "predict t large/0/0.png"
     " --max-memory 1",
     BOUND},

    {"summary", "image", NULL, "summary m.yaml", "summary m.yaml --image 40", OUT},
    {"summary", "batch", NULL, "summary m.yaml", "summary m.yaml --batch 500", OUT},
    {"summary", "shards", NULL, "summary m.yaml --batch 500", "summary m.yaml --batch 500 --shards 4", OUT},
    {"summary", "anchor", NULL, "summary m.yaml", "summary m.yaml --anchor 3", OUT},
    {"summary", "json", NULL, "summary m.yaml", "summary m.yaml --json", OUT},
    {"summary", "verbose", NULL, "summary m.yaml", "summary m.yaml --verbose", OUT},
    {"summary", "plan", NULL, "summary m.yaml", "summary m.yaml --plan", OUT},
    {"summary", "set", NULL, "summary m.yaml", "summary m.yaml --set c1.filters=3", OUT},
    {"summary", "threads", NULL, "summary m.yaml --threads 1", "summary m.yaml --threads 9", OUT},
    {"summary", "exact", NULL, "summary m.yaml --verbose", "summary m.yaml --verbose --exact", OUT},
    {"summary", "no-fuse", NULL, "summary m.yaml --verbose", "summary m.yaml --verbose --no-fuse", OUT},

    {"gradcheck", "samples", NULL, GRADIENTS, GRADIENTS " --samples 5", OUT},
    {"gradcheck", "batch", NULL, GRADIENTS, GRADIENTS " --batch 3", OUT},
    {"gradcheck", "tolerance", NULL, GRADIENTS, GRADIENTS " --tolerance 1e-30", REFUSAL},
    {"gradcheck", "json", NULL, "gradcheck m.yaml", "gradcheck m.yaml --json", OUT},
    {"gradcheck", "set", NULL, GRADIENTS, GRADIENTS " --set train.seed=5", OUT},
    {"gradcheck", "threads", NULL, GRADIENTS " --threads 1", GRADIENTS " --threads 9", THREADS},
    {"gradcheck", "exact", NULL, GRADIENTS, GRADIENTS " --exact", OUT},
    {"gradcheck", "no-fuse", NULL, GRADIENTS, GRADIENTS " --no-fuse", OUT},

    {"bench", "batch", NULL, LAYERS, LAYERS " --batch 2", FACTS},
    /* how long it takes is the machine's affair: that it is read is seen by what is refused */
    {"bench", "seconds", NULL, "bench m.yaml --seconds x", "bench m.yaml --seconds 0", REFUSAL},
    {"bench", "eval", NULL, LAYERS, LAYERS " --eval", FACTS},
    {"bench", "layers", NULL, BENCH " --json", BENCH " --json --layers", FACTS},
    {"bench", "cores", NULL, BENCH " --json", BENCH " --json --cores 2", FACTS},
    {"bench", "roofline", NULL, LAYERS, LAYERS " --roofline roof", FACTS},
    {"bench", "json", NULL, BENCH, BENCH " --json", FACTS},
    {"bench", "set", NULL, LAYERS, LAYERS " --set c2.filters=3", FACTS},
    {"bench", "threads", NULL, LAYERS, LAYERS " --threads 9", FACTS},
    {"bench", "exact", NULL, LAYERS, LAYERS " --exact", FACTS},
    {"bench", "no-fuse", NULL, LAYERS, LAYERS " --no-fuse", FACTS},

    {"trace", "input", NULL, TRACE, TRACE " --input other.h5", OUTPUT},
    {"trace", "output", NULL, TRACE, TRACE " --output r.h5", "ls r.h5"},
    {"trace", "mode", NULL, TRACE, TRACE " --mode train", OUTPUT},
    {"trace", "seed", NULL, TRACE_MODEL, TRACE_MODEL " --seed 5", OUTPUT},
    {"trace", "set", NULL, TRACE_MODEL, TRACE_MODEL " --set train.seed=5", OUTPUT},
    {"trace", "threads", NULL, TRACE " --threads 1", TRACE " --threads 9", THREADS},
    {"trace", "exact", NULL, TRACE_MODEL, TRACE_MODEL " --exact", OUTPUT},
    {"trace", "no-fuse", NULL, TRACE_MODEL, TRACE_MODEL " --no-fuse", "cat err"},
    {"trace", "max-memory", NULL, "trace m.yaml --input large.h5 --output o.h5",
     "trace m.yaml --input large.h5 --output o.h5"
     " --max-memory 1",
     BOUND},

    {"visualize", "data", NULL, VISUALIZE, VISUALIZE " --data images:pics", PICTURES},
    {"visualize", "output", NULL, "visualize t", "visualize t --output r", PICTURES},
    {"visualize", "image", NULL, VISUALIZE, VISUALIZE " --image pics/0/0.png", PICTURES},
    {"visualize", "sample", NULL, VISUALIZE, VISUALIZE " --sample 1", PICTURES},
    {"visualize", "unit", NULL, VISUALIZE, VISUALIZE " --unit c1", PICTURES},
    {"visualize", "max-memory", NULL, VISUALIZE LARGE_DATA, VISUALIZE LARGE_DATA " --max-memory 1", BOUND},

    {"bn-report", "data", NULL, "bn-report t", "bn-report t --data images:pics", OUT},
    {"bn-report", "batch", NULL, "bn-report t", "bn-report t --batch 8", OUT},
    {"bn-report", "limit", NULL, "bn-report t", "bn-report t --limit 64", OUT},
    {"bn-report", "json", NULL, "bn-report t", "bn-report t --json", OUT},
    {"bn-report", "max-memory", NULL, "bn-report t" LARGE_DATA, "bn-report t" LARGE_DATA " --max-memory 1", BOUND},

    {"recalibrate", "data", NULL, "recalibrate t", "recalibrate t --data images:pics", OUT},
    {"recalibrate", "batch", NULL, "recalibrate t -o o.h5", "recalibrate t -o o.h5 --batch 8", OUTPUT},
    {"recalibrate", "limit", NULL, "recalibrate t -o o.h5", "recalibrate t -o o.h5 --limit 64", OUTPUT},
    {"recalibrate", "json", NULL, "recalibrate t", "recalibrate t --json", OUT},
    {"recalibrate", "output", NULL, "recalibrate t", "recalibrate t --output r.h5", "ls r.h5"},
    {"recalibrate", "max-memory", NULL, "recalibrate t" LARGE_DATA, "recalibrate t" LARGE_DATA " --max-memory 1",
     BOUND},

    {"inspect", "model", NULL, "inspect t/last.h5", "inspect t/last.h5 --model", OUT},
    {"inspect", "json", NULL, "inspect t/last.h5", "inspect t/last.h5 --json", OUT},
    {"inspect", "max-memory", NULL, "inspect large-t.h5",
     "inspect large-t.h5"
     " --max-memory 1",
     BOUND},
    {"diff", "all", DIFFERENT_RUN, "diff t r", "diff t r --all", OUT " status"},
    {"diff", "json", NULL, "diff t t", "diff t t --json", OUT},
    {"diff", "max-memory", NULL, "diff large-t.h5 large-t.h5",
     "diff large-t.h5 large-t.h5"
     " --max-memory 1",
     BOUND},
    {"verify", "data", NULL, VERIFY, VERIFY " --data images:pics", OUT},
    {"verify", "steps", NULL, VERIFY, VERIFY " --steps 5", OUT},
    {"verify", "plant", NULL, VERIFY, VERIFY " --plant", OUT " status"},
    {"verify", "json", NULL, VERIFY, VERIFY " --json", OUT},
    {"verify", "set", NULL, VERIFY, VERIFY " --set train.seed=5", OUT},
    {"verify", "threads", NULL, VERIFY " --threads 1", VERIFY " --threads 9", OUT},
    {"verify", "exact", NULL, VERIFY, VERIFY " --exact", OUT},
    {"verify", "no-fuse", NULL, VERIFY, VERIFY " --no-fuse", OUT},
    {"verify", "max-memory", NULL, VERIFY LARGE_DATA, VERIFY LARGE_DATA " --max-memory 1", BOUND},

    /* exit status 1 where there is no gnuplot */
    {"plot", "output", NULL, "plot t", "plot t --output p", "cat status; ls p.csv"},
    {"plot", "terminal", NULL, "plot t", "plot t --terminal", "cat out status"},
    {"data", "json", NULL, "data digits", "data digits --json", OUT},
    {"data", "picture", NULL, "data digits", "data digits --picture p.png", "ls p.png"},
    {"data", "sample", NULL, "data digits --picture p.png", "data digits --picture p.png --sample 1",
     "sha256sum p.png"},
    {"data", "max-memory", NULL, "data images:large",
     "data images:large"
     " --max-memory 1",
     BOUND},
    {"models", "json", NULL, "models", "models --json", OUT},
    {"layers", "json", NULL, "layers", "layers --json", OUT},
};

#endif
