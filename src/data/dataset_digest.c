/* The digest of a data set: a fixed tree, so that threads share the work. Pixels and labels are cut
 * into chunks; the digests of 64 chunks are digested together with the digest so far. */
#include "dataset.h"

#include "cpus.h"
#include "digest.h"
#include "threads.h"

#include <stdio.h>
#include <string.h>

enum { CHUNK = 1 << 18, GROUP = 64 };

typedef struct group {
    const char *bytes;
    size_t size;
    char digests[GROUP][NM_DIGEST_SIZE];
} group;

static void digest_chunk(void *arg, int task, int thread)
{
    (void)thread;
    group *g = arg;
    size_t first = (size_t)task * CHUNK, left = g->size - first;
    nm_digest(&(nm_bytes){g->bytes + first, left < CHUNK ? left : CHUNK}, 1, g->digests[task]);
}

static void extend(char hex[NM_DIGEST_SIZE], const void *bytes, size_t size)
{
    char before[NM_DIGEST_SIZE];
    memcpy(before, hex, sizeof before);
    nm_digest((nm_bytes[]){{before, sizeof before}, {bytes, size}}, 2, hex);
}

static void add_bytes(char hex[NM_DIGEST_SIZE], const void *bytes, size_t size)
{
    static const size_t step = (size_t)CHUNK * GROUP;
    for (size_t done = 0; done < size; done += step) {
        group g = {.bytes = (const char *)bytes + done, .size = size - done < step ? size - done : step};
        int chunks = (int)((g.size + CHUNK - 1) / CHUNK);
        nm_parallel(nm_threads_default(), chunks, digest_chunk, &g);
        extend(hex, g.digests, (size_t)chunks * sizeof g.digests[0]);
    }
}

static void add_split(char hex[NM_DIGEST_SIZE], const char *name, const nm_samples *s)
{
    char head[160];
    int length = snprintf(head, sizeof head, "%s: %d samples of " NM_SHAPE_FMT ", labels %zu, known %d", name, s->count,
                          NM_SHAPE_ARGS(s->shape), nm_label_places(s), s->labels != NULL);
    extend(hex, head, (size_t)length);
    add_bytes(hex, s->pixels, (size_t)s->count * nm_shape_size(s->shape));
    if (s->labels)
        add_bytes(hex, s->labels, (size_t)s->count * nm_label_places(s) * sizeof *s->labels);
}

void nm_dataset_digest(const nm_dataset *data, char hex[NM_DIGEST_SIZE])
{
    memset(hex, 0, NM_DIGEST_SIZE);
    add_split(hex, "train", &data->train);
    add_split(hex, "test", &data->test);
    for (int i = 0; i < data->classes; i++)
        extend(hex, data->class_names[i], strlen(data->class_names[i]) + 1);
}
