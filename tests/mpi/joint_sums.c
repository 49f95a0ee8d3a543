/* joint_sums MODE …: one of the processes that tests/mpi/mpi.py starts together.
 *
 *   sums SHARDS      sums many arrays over the shards, several under way at once; prints a hash
 *   collect          gathers, broadcasts, agrees, and disagrees at the end
 *   steps FOLDER PATIENCE GRACE   works until something happens; leaves its number in
 * FOLDER/RANK.pid
 *
 * Messages go to stderr; the exit status is that of the failure, and FOLDER/RANK.status has it. */
#include "error.h"
#include "sum_tree.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile int stop;

static void on_signal(int number)
{
    stop = number;
}

static real number(int array, int shard, size_t i)
{
    uint64_t z = (uint64_t)shard * 1000003 + (uint64_t)array * 7919 + i * 0x9e3779b97f4a7c15u + 1;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (real)ldexp((double)(int32_t)(uint32_t)(z >> 20), -31 + (int)(z >> 8 & 7));
}

static uint64_t hash_more(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * 1099511628211u;
    return hash;
}

/* ---- sums ---------------------------------------------------------------------------------- */

static const size_t counts[] = {70001, 1, 1024, 1025,  16,   0,    33333, 2, 512,
                                4099,  1, 8,    20000, 1500, 1023, 40000, 3, 2048};
enum { ARRAYS = sizeof counts / sizeof *counts, LARGEST = 70001, SMALL = 64 };

static nm_status start_sum(nm_sum_tree *tree, int array, real *out, size_t count, int present)
{
    nm_sum_tree_begin(tree, out, count, present);
    for (int shard = nm_sum_tree_first(tree, present); shard < nm_sum_tree_end(tree, present); shard++) {
        real *leaf = nm_sum_tree_leaf(tree);
        for (size_t i = 0; i < count; i++)
            leaf[i] += number(array, shard, i);
        nm_sum_tree_push(tree);
        NM_TRY(nm_sum_tree_progress(tree));
    }
    return nm_sum_tree_finish(tree);
}

/* All arrays, and between them short ones in another tree that are waited for, and gathers: as
 * layers that need something of the whole batch. */
static nm_status sum_arrays(nm_processes *p, nm_sum_tree *tree, nm_sum_tree *small, int present, real **out,
                            uint64_t *hash)
{
    int count = nm_processes_count(p), rank = nm_processes_rank(p);
    for (int a = 0; a < ARRAYS; a++) {
        real sums[SMALL], all[64];
        size_t offset[65];
        NM_TRY(start_sum(tree, a, out[a], counts[a], present));
        if (a % 3 == 1) {
            NM_TRY(start_sum(small, 100 + a, sums, SMALL, present));
            NM_TRY(nm_sum_tree_wait(small));
            *hash = hash_more(*hash, sums, sizeof sums);
        }
        if (a % 5 == 4) {
            for (int r = 0; r <= count; r++)
                offset[r] = (size_t)r * sizeof(real);
            all[rank] = (real)(a + rank);
            NM_TRY(nm_processes_gather(p, all, offset));
            for (int r = 0; r < count; r++)
                if (all[r] != (real)(a + r))
                    return NM_DIVERGED;
        }
    }
    return nm_sum_tree_wait(tree);
}

/* What sum_tree.h says that one array takes: what this process sends. */
static nm_traffic traffic_of(int shards, size_t n, int rank, int count)
{
    size_t roots = 0, segment = nm_share_first(n, rank + 1, count) - nm_share_first(n, rank, count);
    int first = (int)nm_share_first((size_t)shards, rank, count);
    int end = (int)nm_share_first((size_t)shards, rank + 1, count);
    for (int size; first < end; first += size, roots++)
        for (size = 1; first % (2 * size) == 0 && first + 2 * size <= end;)
            size *= 2;
    uint64_t others = (uint64_t)count - 1;
    if (n <= NM_SUM_WHOLE)
        return n ? (nm_traffic){roots * others, roots * others * n * sizeof(real)} : (nm_traffic){0, 0};
    return (nm_traffic){(roots + 1) * others, (roots * (n - segment) + others * segment) * sizeof(real)};
}

static nm_status check_traffic(nm_context *ctx, nm_processes *p, nm_sum_tree *tree, int shards, real **out)
{
    for (int a = 0; a < ARRAYS; a++) {
        nm_traffic before = nm_processes_traffic(p);
        NM_TRY(start_sum(tree, a, out[a], counts[a], shards));
        NM_TRY(nm_sum_tree_wait(tree));
        nm_traffic after = nm_processes_traffic(p);
        nm_traffic told = traffic_of(shards, counts[a], nm_processes_rank(p), nm_processes_count(p));
        if (after.messages - before.messages != told.messages || after.bytes - before.bytes != told.bytes)
            return nm_fail(ctx, NM_DIVERGED, "%zu elements: %llu messages of %llu bytes, expected %llu of %llu",
                           counts[a], (unsigned long long)(after.messages - before.messages),
                           (unsigned long long)(after.bytes - before.bytes), (unsigned long long)told.messages,
                           (unsigned long long)told.bytes);
    }
    return NM_OK;
}

static nm_status run_sums(nm_context *ctx, nm_processes *p, int shards)
{
    nm_sum_tree *tree, *small;
    real *out[ARRAYS];
    uint64_t hash = 1469598103934665603u;
    char text[32];
    NM_TRY(nm_sum_tree_new(ctx, p, shards, LARGEST, 1 + nm_processes_rank(p) % 2, &tree));
    NM_TRY(nm_sum_tree_new(ctx, p, shards, SMALL, 1, &small));
    for (int a = 0; a < ARRAYS; a++)
        out[a] = calloc(counts[a] + 1, sizeof(real));
    int presents[] = {shards, shards - 1, shards / 2 + 1, 1, 0};
    for (int k = 0; k < 5; k++) {
        NM_TRY(sum_arrays(p, tree, small, presents[k], out, &hash));
        for (int a = 0; a < ARRAYS; a++)
            hash = hash_more(hash, out[a], (counts[a] + 1) * sizeof(real));
    }
    NM_TRY(check_traffic(ctx, p, tree, shards, out));
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    NM_TRY(nm_processes_agree(p, "sums", text));
    if (nm_processes_rank(p) == 0)
        printf("%s\n", text);
    for (int a = 0; a < ARRAYS; a++)
        free(out[a]);
    nm_sum_tree_free(small);
    nm_sum_tree_free(tree);
    return NM_OK;
}

/* ---- gathers, broadcasts, texts ------------------------------------------------------------ */

static nm_status run_collect(nm_context *ctx, nm_processes *p)
{
    int rank = nm_processes_rank(p), count = nm_processes_count(p);
    size_t offset[65] = {0};
    for (int r = 0; r < count; r++) /* block r has r * 1000 bytes: process 0 has none */
        offset[r + 1] = offset[r] + (size_t)r * 1000;
    unsigned char *bytes = calloc(offset[count] + 1, 1);
    memset(bytes + offset[rank], rank + 1, offset[rank + 1] - offset[rank]);
    NM_TRY(nm_processes_gather(p, bytes, offset));
    for (int r = 0; r < count; r++)
        for (size_t i = offset[r]; i < offset[r + 1]; i++)
            if (bytes[i] != r + 1)
                return nm_fail(ctx, NM_DIVERGED, "block %d is wrong at byte %zu", r, i);
    for (int from = 0; from < count; from++) {
        uint64_t word[1000];
        memset(word, rank == from ? 17 + from : 0, sizeof word);
        NM_TRY(nm_processes_broadcast(p, word, sizeof word, from));
        for (int i = 0; i < 1000; i++)
            if (word[i] != 0x0101010101010101u * (uint64_t)(17 + from))
                return nm_fail(ctx, NM_DIVERGED, "broadcast from %d is wrong at word %d", from, i);
    }
    free(bytes);
    NM_TRY(nm_processes_agree(p, "settings", "batch 64"));
    if (nm_processes_on_host(p) != count)
        return nm_fail(ctx, NM_DIVERGED, "%d of %d on this host", nm_processes_on_host(p), count);
    if (rank == 0)
        printf("collected\n");
    return nm_processes_agree(p, "settings", rank == 2 ? "batch 65" : "batch 64");
}

/* ---- steps --------------------------------------------------------------------------------- */

static void leave_number(const char *folder, int rank, const char *what, int number)
{
    char path[4096], whole[4200];
    snprintf(path, sizeof path, "%s/.%d.%s", folder, rank, what);
    FILE *f = fopen(path, "w");
    if (!f)
        return;
    fprintf(f, "%d\n", number);
    fclose(f);
    snprintf(whole, sizeof whole, "%s/%d.%s", folder, rank, what);
    rename(path, whole);
}

static nm_status run_steps(nm_context *ctx, nm_processes *p, char **words)
{
    static real out[LARGEST];
    nm_sum_tree *tree;
    int rank = nm_processes_rank(p);
    nm_processes_set_stop(p, &stop, atof(words[2]));
    nm_processes_set_patience(p, atof(words[1]));
    NM_TRY(nm_sum_tree_new(ctx, p, 8, LARGEST, 1, &tree));
    for (int step = 0;; step++) {
        NM_TRY(start_sum(tree, step, out, LARGEST, 8));
        NM_TRY(nm_sum_tree_wait(tree));
        if (step == 3)
            leave_number(words[0], rank, "pid", (int)getpid());
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

int main(int argc, char **argv)
{
    nm_context *ctx = nm_context_new();
    nm_processes *p = NULL;
    signal(SIGTERM, on_signal);
    nm_status status = nm_processes_start(ctx, &p);
    int rank = nm_processes_rank(p);
    if (status == NM_OK && argc > 2 && strcmp(argv[1], "sums") == 0)
        status = run_sums(ctx, p, atoi(argv[2]));
    else if (status == NM_OK && argc > 1 && strcmp(argv[1], "collect") == 0)
        status = run_collect(ctx, p);
    else if (status == NM_OK && argc > 4 && strcmp(argv[1], "steps") == 0)
        status = run_steps(ctx, p, argv + 2);
    for (int k = 0; k < nm_error_count(ctx); k++)
        fprintf(stderr, "[%d] %s\n", rank, nm_error_message(ctx, k));
    if (status != NM_OK && argc > 4)
        leave_number(argv[2], rank, "status", (int)status);
    fflush(NULL);
    if (p && (status == NM_OK || status == NM_INVALID ||
              strcmp(argv[1], "collect") == 0)) { /* what all know of, they end together */
        nm_status ended = nm_processes_end(p);
        status = status == NM_OK ? ended : status;
    }
    _exit((int)status); /* without what a failed MPI would do at an exit */
}
