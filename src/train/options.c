/* The settings of training: the `train:` section of a model file and, with dashes, the flags of
 * `norma train`. */
#include "train.h"

#define AT(field) offsetof(nm_train_settings, field)

/* In the order of NM_STORAGE_…. */
static const char *const storages[] = {"float32", "bf16", NULL};
/* In the order of NM_RESIZE_…, NM_FIT_… and NM_BACKGROUND_…. */
static const char *const resizes[] = {"area", "bilinear", NULL};
static const char *const fits[] = {"stretch", "crop", NULL};
static const char *const backgrounds[] = {"black", "white", NULL};

const nm_option nm_train_options[] = {
    {"data", NM_OPT_STRING, AT(data), "fashion-mnist", .help = "data set, NAME or NAME:PATH (see norma data)"},
    {"epochs", NM_OPT_INT, AT(epochs), "10", 1, 1e9, .help = "passes over the training samples"},
    {"steps", NM_OPT_INT, AT(steps), "0", 0, 1e9,
     .help = "stop after that many updates in all, whatever epochs says; 0: not"},
    {"batch", NM_OPT_INT, AT(batch), "128", 1, 1e6, .help = "samples of one update"},
    {"micro_batch", NM_OPT_INT, AT(micro_batch), "0", 0, 1e6,
     .help = "samples in memory at once, for large batches in small memory; the result is the same; 0: the batch"},
    {"shards", NM_OPT_INT, AT(shards), "1", 1, NM_MOST_SHARDS,
     .help = "compute a batch in so many equal parts, which processes started by mpirun share; the result depends on "
             "this number alone, not on how many processes there are"},
    {"recompute", NM_OPT_BOOL, AT(recompute), "false",
     .help = "compute what follows a batchnorm again in backward instead of keeping it: less memory, the same result"},
    {"exact", NM_OPT_BOOL, AT(exact), "false",
     .help = "take only algorithms whose error is that of direct summation (no Winograd)"},
    {"storage", NM_OPT_ENUM, AT(storage), "float32", .choices = storages,
     .help =
         "how what backward reads is kept: float32, or bf16 (bfloat16: about half of the memory, numbers of 8 bits' "
         "precision; all sums stay in float32)"},
    {"no_fuse", NM_OPT_BOOL, AT(no_fuse), "false", .help = "let every layer do its own work alone"},
    {"eval_batch", NM_OPT_INT, AT(eval_batch), "250", 1, 1e6, .help = "samples at once in an evaluation"},
    {"optimizer", NM_OPT_CHOICE, AT(optimizer), "sgd", .help = "optimizer, NAME or {NAME: {options}}"},
    {"schedule", NM_OPT_CHOICE, AT(schedule), "constant",
     .help = "course of the learning rate, NAME or {NAME: {options}}"},
    {"lr", NM_OPT_REAL, AT(lr), "", 0, 1e9, .help = "learning rate (preset: the optimizer's own)"},
    {"momentum", NM_OPT_REAL, AT(momentum), "", 0, 1, .help = "momentum (preset: the optimizer's own)"},
    {"l2", NM_OPT_REAL, AT(l2), "0", 0, 1e9, .help = "L2 coefficient on weights"},
    {"l2_all", NM_OPT_BOOL, AT(l2_all), "false", .help = "L2 also on biases, scales and shifts"},
    {"clip_norm", NM_OPT_REAL, AT(clip_norm), "0", 0, 1e9, .help = "largest norm of the whole gradient; 0: any"},
    {"warmup", NM_OPT_INT, AT(warmup), "0", 0, 1e9, .help = "steps in which the learning rate rises to its value"},
    {"augment", NM_OPT_STRINGS, AT(augment), "",
     .help = "changes of the training images: flip, pad-crop=4, affine, cutout=8"},
    {"resize", NM_OPT_ENUM, AT(images.resize), "area", .choices = resizes,
     .help = "how image files come to the network's size: area or bilinear"},
    {"fit", NM_OPT_ENUM, AT(images.fit), "stretch", .choices = fits,
     .help = "image files of another shape: stretch, or crop (the longer side, at both ends)"},
    {"background", NM_OPT_ENUM, AT(images.background), "black", .choices = backgrounds,
     .help = "behind transparent pixels of image files: black or white"},
    {"orient", NM_OPT_BOOL, AT(images.orient), "false",
     .help = "image files are turned as their EXIF orientation says"},
    {"binary", NM_OPT_BOOL, AT(binary), "false", .help = "pixels become 0 or 1 (threshold 128) instead of normalised"},
    {"seed", NM_OPT_INT, AT(seed), "1", 0, 2147483647, .help = "of initial weights, order, augmentation and dropout"},
    {"limit", NM_OPT_INT, AT(limit), "0", 0, 1e9,
     .help = "only N of the training samples, a random subset by the seed, the same in every epoch; 0: all"},
    {"shuffle", NM_OPT_BOOL, AT(shuffle), "true",
     .help = "a new order of the samples in every epoch; false: always as the data has them"},
    {"save_every", NM_OPT_STRING, AT(save_every), "1e", .help = "steps between checkpoints as 200s, or epochs as 1e"},
    {"keep", NM_OPT_INT, AT(keep), "2", 0, 1e6, .help = "how many of the newest step-NNNNNNNN.h5 stay"},
    {"init_from", NM_OPT_STRING, AT(init_from), "",
     .help = "checkpoint whose parameters are taken where name and shape fit"},
    {"freeze", NM_OPT_STRINGS, AT(freeze), "", .help = "parameters that stay as they are, as patterns (c1/*)"},
    {"without", NM_OPT_STRINGS, AT(without), "", .help = "layer types to leave out (batchnorm)"},
    {"watch", NM_OPT_STRINGS, AT(watch), "", .help = "LAYER/UNIT: percentiles of that layer's input go to watch.csv"},
    {"watch_every", NM_OPT_INT, AT(watch_every), "10", 1, 1e9, .help = "steps between rows of watch.csv"},
    {"eval_every", NM_OPT_INT, AT(eval_every), "0", 0, 1e9, .help = "steps between evaluations; 0: after each epoch"},
    {"population_batches", NM_OPT_INT, AT(population_batches), "100", 1, 1e9,
     .help = "training batches that estimate batchnorm's `statistics: population` before an evaluation"},
    {0},
};
