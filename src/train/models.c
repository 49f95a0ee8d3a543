/* Finding model files by name, and networks in checkpoints. */
#include "alloc.h"
#include "train.h"
#include "train_config.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- by name ------------------------------------------------------------------------------- */

/* The folders in which models are looked for, in order. An installed program stands in bin/, one
 * that was only built in BUILD/apps/, and BUILD/share/norma/models is a link to the source's. */
enum { FOLDERS = 3 };
typedef struct places {
    int count;
    char folder[FOLDERS][PATH_MAX];
} places;

static void add_place(places *p, const char *base, const char *below)
{
    char *folder = p->folder[p->count];
    if (snprintf(folder, PATH_MAX, "%s%s", base, below) < PATH_MAX && access(folder, F_OK) == 0)
        p->count++;
}

static void find_places(places *p)
{
    char program[PATH_MAX - 32];
    const char *given = getenv("NORMA_MODELS");
    p->count = 0;
    if (given && *given)
        add_place(p, given, "");
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash = NULL;
    if (length > 0) {
        program[length] = '\0';
        slash = strrchr(program, '/');
    }
    if (slash) {
        *slash = '\0';
        add_place(p, program, "/../share/norma/models");
    }
    add_place(p, NM_INSTALLED_MODELS, "");
}

/* The models that there are, for "did you mean". */
typedef struct names {
    int count;
    char text[256][64];
    const char *word[256];
} names;

static void list_names(const places *p, names *all)
{
    for (int i = 0; i < p->count; i++) {
        DIR *folder = opendir(p->folder[i]);
        struct dirent *entry;
        while (folder && (entry = readdir(folder)) && all->count < 256) {
            size_t length = strlen(entry->d_name);
            if (length <= 5 || length - 5 >= sizeof *all->text || strcmp(entry->d_name + length - 5, ".yaml") != 0)
                continue;
            snprintf(all->text[all->count], sizeof *all->text, "%.*s", (int)length - 5, entry->d_name);
            all->word[all->count] = all->text[all->count];
            all->count++;
        }
        if (folder)
            closedir(folder);
    }
}

static nm_status not_found(nm_context *ctx, const char *name, const places *p)
{
    char where[1024] = "";
    size_t used = 0;
    for (int i = 0; i < p->count && used < sizeof where; i++)
        used += (size_t)snprintf(where + used, sizeof where - used, "%s%s", i ? ", " : "; looked in ", p->folder[i]);
    names *all = nm_alloc(ctx, 1, sizeof *all);
    if (!all)
        return NM_FAILED;
    list_names(p, all);
    char hint[NM_HINT];
    nm_fail(ctx, NM_INVALID, "there is no model '%s', and no file of that name%s%s", name,
            nm_did_you_mean(hint, name, all->word, all->count), where);
    nm_free(all);
    return NM_INVALID;
}

static bool is_path(const char *name)
{
    const char *dot = strrchr(name, '.');
    struct stat st; /* a folder may be called like a ready model */
    return strchr(name, '/') || (dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0)) ||
           (stat(name, &st) == 0 && !S_ISDIR(st.st_mode));
}

nm_status nm_model_path(nm_context *ctx, const char *name, char **path)
{
    places p;
    if (is_path(name)) {
        *path = nm_strdup(ctx, name);
        return *path ? NM_OK : NM_FAILED;
    }
    find_places(&p);
    for (int i = 0; i < p.count; i++) {
        *path = nm_format(ctx, "%s/%s.yaml", p.folder[i], name);
        if (!*path)
            return NM_FAILED;
        if (access(*path, F_OK) == 0)
            return NM_OK;
        nm_free(*path);
    }
    *path = NULL;
    return not_found(ctx, name, &p);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

nm_status nm_model_names(nm_context *ctx, char ***list, int *count)
{
    places p;
    find_places(&p);
    names *all = nm_alloc(ctx, 1, sizeof *all);
    if (!all)
        return NM_FAILED;
    list_names(&p, all);
    qsort(all->word, (size_t)all->count, sizeof *all->word, compare_names);
    char **block = nm_alloc(ctx, (size_t)all->count + 1, sizeof *block + sizeof *all->text);
    *count = 0;
    if (block) {
        char *text = (char *)(block + all->count + 1);
        for (int i = 0; i < all->count; i++, text += sizeof *all->text) {
            if (*count && strcmp(all->word[i], block[*count - 1]) == 0)
                continue; /* of two folders: the first is found */
            block[(*count)++] = strcpy(text, all->word[i]);
        }
    }
    nm_free(all);
    *list = block;
    return block ? NM_OK : NM_FAILED;
}

/* ---- from a checkpoint ----------------------------------------------------------------------- */

nm_status nm_checkpoint_network(nm_context *ctx, const nm_checkpoint *checkpoint, nm_network **net)
{
    const char *text = nm_checkpoint_model(checkpoint);
    nm_yaml *document;
    *net = NULL;
    NM_TRY(nm_yaml_parse(ctx, "model.yaml", text, strlen(text), &document));
    NM_TRY(nm_network_open(ctx, document, &nm_train_section, net));
    nm_status status = nm_checkpoint_load(ctx, checkpoint, *net, false, NULL);
    if (status != NM_OK) {
        nm_network_free(*net);
        *net = NULL;
    }
    return status;
}
