/* How batch norm cuts its rows (pixels of all samples) into chunks, and what lies where in scratch:
 * shared by its passes. */
#ifndef NM_BATCHNORM_CHUNKS_H
#define NM_BATCHNORM_CHUNKS_H

#include "batchnorm_passes.h"
#include "stored.h"

#include <string.h>

enum {
    CHUNK = 16384, /* elements a chunk: it stays in the core's own cache between the passes */
    CHUNKS = 64,   /* of fewer elements smaller ones are made, as many as this */
    LEAST = 2048,  /* elements of those */
    RUN = 32,      /* rows summed in `real` before they go into a double */
    LANES = 64,    /* narrow rows are taken several at a time, so that this many sums run side by side */
};

/* ---- chunks --------------------------------------------------------------------------- */

typedef struct layout {
    int rows, channels;
    int fold;       /* rows taken side by side */
    int chunk_rows; /* a multiple of fold */
    int chunks;
} layout;

static inline layout layout_of(int n, nm_shape s)
{
    layout l = {.rows = n * s.h * s.w, .channels = s.c, .fold = 1};
    while (l.fold * l.channels < LANES)
        l.fold *= 2;
    size_t each = (size_t)l.rows * (size_t)l.channels / CHUNKS;
    int elements = each > CHUNK ? CHUNK : each < LEAST ? LEAST : (int)each;
    l.chunk_rows = elements / (l.fold * l.channels) * l.fold;
    if (l.chunk_rows < l.fold)
        l.chunk_rows = l.fold;
    l.chunks = nm_ceil_div(l.rows, l.chunk_rows);
    return l;
}

/* No more chunks than this are made of as many rows or of fewer. */
static inline int most_chunks(const layout *l)
{
    int few = l->rows < 2 * CHUNKS + 1 ? l->rows : 2 * CHUNKS + 1;
    return l->chunks > few ? l->chunks : few;
}

static inline int rows_of(const layout *l, int chunk)
{
    int left = l->rows - chunk * l->chunk_rows;
    return left < l->chunk_rows ? left : l->chunk_rows;
}

/* The per-channel tables of a pass, spread over the fold: they open scratch. */
enum { TABLES = 8 };
static inline real *tables(const nm_pass *p, const layout *l, int index)
{
    return (real *)p->scratch + (size_t)index * (size_t)(l->fold * l->channels);
}

/* A chunk's two results per channel, in double: [chunk][2][channels] behind the tables, and one
 * more for the totals. */
static inline double *partial(const nm_pass *p, const layout *l, int chunk)
{
    return (double *)(void *)tables(p, l, TABLES) + (size_t)chunk * 2 * (size_t)l->channels;
}

static inline size_t scratch_size(const layout *l, int chunks)
{
    return ((size_t)chunks + 1) * 2 * (size_t)l->channels * sizeof(double) +
           (size_t)(TABLES * l->fold * l->channels) * sizeof(real);
}

/* Adds the `fold` groups of `sum` [fold][channels] into the first. */
static inline void unfold(const layout *l, double *sum)
{
    for (int f = 1; f < l->fold; f++)
        for (int c = 0; c < l->channels; c++)
            sum[c] += sum[f * l->channels + c];
}

/* Channels whose chunks a task merges: worth a round of tasks. */
static inline int merged_at_once(int chunks)
{
    enum { NUMBERS = 2048, FEWEST = 4 };
    int channels = NUMBERS / (chunks > 0 ? chunks : 1) / FEWEST * FEWEST;
    return channels < FEWEST ? FEWEST : channels;
}

/* Repeats a row of channels `fold` times. */
static inline void spread(const layout *l, const real *from, real *to)
{
    for (int f = 0; f < l->fold; f++)
        memcpy(to + f * l->channels, from, (size_t)l->channels * sizeof *to);
}

/* ---- what passes share --------------------------------------------------------------- */

/* What is saved per channel: mean, 1 / sd, the factor scale / sd, and the shift. */
typedef struct moments {
    real *mean, *inverse, *factor, *shift;
} moments;

static inline moments moments_of(const nm_pass *p)
{
    real *saved = p->saved;
    int channels = p->ys.c;
    return (moments){saved, saved + channels, saved + 2 * channels, saved + 3 * channels};
}

typedef struct job {
    const nm_pass *p;
    const nm_batch_normalisation *self;
    layout l;
    nm_stored x, y;                              /* the pass's */
    bool relu;                                   /* passes where the normalised value is above zero */
    const real *mean, *factor, *shift;           /* [width]: spread over the fold */
    const real *dy_factor, *x_factor, *constant; /* backward: dx = dy * dy_factor + (x - mean) * x_factor + constant */
} job;

/* mean, factor and shift spread into tables 0 to 2. */
static inline job normalising_job(const nm_pass *p, const nm_batch_normalisation *self, layout l, bool relu)
{
    moments m = moments_of(p);
    spread(&l, m.mean, tables(p, &l, 0));
    spread(&l, m.factor, tables(p, &l, 1));
    spread(&l, m.shift, tables(p, &l, 2));
    return (job){.p = p,
                 .self = self,
                 .l = l,
                 .x = nm_stored_of(p->x[0], p->bf16 & NM_BF16_X),
                 .y = nm_stored_of(p->y, p->bf16 & NM_BF16_Y),
                 .relu = relu,
                 .mean = tables(p, &l, 0),
                 .factor = tables(p, &l, 1),
                 .shift = tables(p, &l, 2)};
}

/* Sums the chunks' results in their order: of dy, then of dy * (x - mean). [2][channels] */
const double *NM_ISA(nm_batchnorm_sum_chunks)(const nm_pass *p, const layout *l);

/* A job that has the factors of dx from an earlier nm_batchnorm_set_gradients in the same scratch.
 */
static inline job gradient_job(const nm_pass *p, const nm_batch_normalisation *self, layout l, bool relu)
{
    job j = normalising_job(p, self, l, relu);
    j.dy_factor = tables(p, &l, 3);
    j.x_factor = tables(p, &l, 4);
    j.constant = tables(p, &l, 5);
    return j;
}

/* ---- a chunk's work, for whoever has its x ------------------------------------------------ */

static inline size_t buffers_size(const layout *l)
{
    return (size_t)(l->fold * l->channels) * (2 * sizeof(double) + 5 * sizeof(real));
}

/* What lies in them. */
typedef struct chunk_buffers {
    double *sum;       /* [2][width] */
    real *run, *pivot; /* [width]; pivot also serves as a second run */
    real *more;        /* [2][width] */
    real *row;         /* [width]: numbers that were kept in bfloat16 */
} chunk_buffers;

static inline chunk_buffers chunk_buffers_in(void *scratch, const layout *l)
{
    size_t width = (size_t)(l->fold * l->channels);
    double *sum = scratch;
    real *run = (real *)(sum + 2 * width);
    return (chunk_buffers){sum, run, run + width, run + 2 * width, run + 4 * width};
}

/* Numbers of a full chunk. */
static inline size_t chunk_count(const layout *l)
{
    return (size_t)l->chunk_rows * (size_t)l->channels;
}

/* x [rows][channels]; scratch: buffers_size bytes, 8-byte aligned; part: the chunk's two results.
 */
void NM_ISA(nm_batchnorm_chunk_statistics)(const layout *l, nm_stored x, int rows, void *scratch, double *part);
/* From all chunks' results: running statistics moved by `rate`, moments saved. */
void NM_ISA(nm_batchnorm_merge)(const nm_pass *p, const nm_batch_normalisation *self, const layout *l, double rate);
void NM_ISA(nm_batchnorm_chunk_normalise)(const job *j, nm_stored x, real *y, int rows);
/* The same, `other` (or no array) added before the relu, where y is in bfloat16 or goes past the
 * caches; false: it is not, and nothing was done. */
bool NM_ISA(nm_batchnorm_chunk_passes)(const job *j, nm_stored x, nm_stored other, nm_stored y, int rows);
void NM_ISA(nm_batchnorm_chunk_sums)(const job *j, nm_stored x, const real *dy, int rows, void *scratch, double *part);
void NM_ISA(nm_batchnorm_chunk_gradient)(const job *j, nm_stored x, const real *dy, real *dx, int rows, void *scratch);
/* With a pool of 2x2 behind: `rows` rows of windows, `across` windows in each; scratch:
 * [2][channels] numbers. */
void NM_ISA(nm_batchnorm_chunk_pool)(const job *j, nm_stored x, nm_stored y, int across, int rows);
void NM_ISA(nm_batchnorm_chunk_pool_sums)(const job *j, nm_stored x, const real *dy, int across, int rows,
                                          real *scratch, double *part);
void NM_ISA(nm_batchnorm_chunk_pool_gradient)(const job *j, nm_stored x, const real *dy, real *dx, int across,
                                              int rows);

#endif
