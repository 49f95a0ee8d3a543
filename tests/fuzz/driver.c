/* TARGET [--executions N] [--seed S] FOLDER…: in place of libFuzzer, where the compiler has none:
 * each file of the folders, then N executions of what random changes make of them. The input of the
 * execution under way is kept in the file named by FUZZ_LAST, where that is set. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEEDS = 512, MOST_SIZE = 1 << 16, MOST_CHANGES = 6 };

typedef struct input {
    uint8_t *bytes;
    size_t size;
} input;

static input seeds[MOST_SEEDS];
static int seed_count;
static uint64_t state = 1;

/* xorshift64* (Vigna 2016); of no quality that matters here. */
static size_t draw(size_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return below ? (size_t)(state * 2685821657736338717u >> 33) % below : 0;
}

static void read_seed(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = *name == '.' || seed_count == MOST_SEEDS ? NULL : fopen(path, "rb");
    if (!f)
        return;
    input *seed = &seeds[seed_count++];
    seed->bytes = malloc(MOST_SIZE);
    if (!seed->bytes)
        abort();
    seed->size = fread(seed->bytes, 1, MOST_SIZE, f);
    fclose(f);
}

static int by_content(const void *a, const void *b)
{
    const input *x = a, *y = b;
    size_t common = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->bytes, y->bytes, common);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void read_seeds(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    while (d && (entry = readdir(d)))
        read_seed(folder, entry->d_name);
    if (d)
        closedir(d);
}

/* One of: a bit, a byte, a number at its limits, a part left out, doubled, or taken from another.
 */
static size_t change(uint8_t *bytes, size_t size)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, '\n', ':', '-', '9', '{', '[', '"'};
    size_t at = draw(size), length = draw(size - at < 64 ? size - at : 64), to = draw(size);
    const input *other = &seeds[draw((size_t)seed_count)];
    switch (size ? draw(6) : 5) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << draw(8));
        return size;
    case 1:
        bytes[at] = edges[draw(sizeof edges)];
        return size;
    case 2:
        memset(bytes + at, draw(2) ? 0xff : 0, length < 8 ? length : 8);
        return size;
    case 3:
        memmove(bytes + at, bytes + at + length, size - at - length);
        return size - length;
    case 4:
        if (size + length > MOST_SIZE)
            return size;
        memmove(bytes + to + length, bytes + to, size - to);
        return size + length;
    default:
        length = other->size < length ? other->size : length;
        memcpy(bytes + at, other->bytes + draw(other->size - length + 1), length);
        return size;
    }
}

static void keep_last(const uint8_t *bytes, size_t size)
{
    const char *path = getenv("FUZZ_LAST");
    FILE *f = path ? fopen(path, "wb") : NULL;
    if (!f)
        return;
    fwrite(bytes, 1, size, f);
    fclose(f);
}

static void execute(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a byte too many */
    if (!exact)
        abort();
    memcpy(exact, bytes, size);
    keep_last(exact, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[MOST_SIZE];
    long executions = 2000;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--executions") == 0 && i + 1 < argc)
            executions = atol(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            state = strtoull(argv[++i], NULL, 10) * 2 + 1;
        else
            read_seeds(argv[i]);
    qsort(seeds, (size_t)seed_count, sizeof *seeds, by_content); /* the order of a folder is anybody's */
    for (int i = 0; i < seed_count; i++)
        execute(seeds[i].bytes, seeds[i].size);
    for (long k = 0; k < executions && seed_count; k++) {
        const input *seed = &seeds[draw((size_t)seed_count)];
        size_t size = seed->size, changes = 1 + draw(MOST_CHANGES);
        memcpy(bytes, seed->bytes, size);
        while (changes-- > 0)
            size = change(bytes, size);
        execute(bytes, size);
    }
    printf("%d seeds, %ld executions\n", seed_count, executions);
    return seed_count ? 0 : 1;
}
