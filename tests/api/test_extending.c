/* Types of a caller's own: what is refused when they are registered. */
#include "own_types.h"
#include "registry.h"
#include "run_suite.h"
#include "with_context.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void refused(nm_status status, const char *message)
{
    ck_assert_int_eq(status, NM_INVALID);
    ck_assert_int_eq(nm_error_count(ctx), 1);
    ck_assert_str_eq(nm_error_message(ctx, 0), message);
}

START_TEST(refuses_names)
{
    static const char *const bad[] = {"", "two words", "with.dot", "-_", "a/b"};
    nm_layer_type t = affine_type;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char message[200];
        t.name = bad[i];
        snprintf(message, sizeof message, "layer type '%s': a name is a word of letters, digits, - and _", bad[i]);
        refused(nm_register_layer(ctx, &t), message);
    }
    t.name = NULL;
    refused(nm_register_layer(ctx, &t), "layer type '': a name is a word of letters, digits, - and _");
    t.name = "from";
    refused(nm_register_layer(ctx, &t), "layer type 'from': the word means something else in model files");
    t.name = "relu";
    refused(nm_register_layer(ctx, &t), "layer type 'relu': there is one of this name");
    t.name = "Batch-norm"; /* case counts */
    ck_assert_int_eq(nm_register_layer(ctx, &t), NM_OK);
    nm_layer_type dashed = affine_type;
    dashed.name = "batch-norm";
    refused(nm_register_layer(ctx, &dashed), "layer type 'batch-norm': there is one of this name");
    nm_loss_type loss = loss_type;
    loss.name = "weight";
    refused(nm_register_loss(ctx, &loss), "loss 'weight': the word means something else in model files");
    loss.name = "relu"; /* of another kind */
    ck_assert_int_eq(nm_register_loss(ctx, &loss), NM_OK);
}
END_TEST

START_TEST(refuses_what_is_missing)
{
    nm_layer_type layer = affine_type;
    layer.backward = NULL;
    refused(nm_register_layer(ctx, &layer), "layer type 'own_affine': forward and backward must be given");
    layer = affine_type;
    layer.most_inputs = -1;
    refused(nm_register_layer(ctx, &layer), "layer type 'own_affine': least_inputs must be 1 or more, and most_inputs "
                                            "not less, or 0 for any number");
    layer = affine_type;
    layer.fusion = (const struct nm_fusion *)(const void *)&affine_type;
    refused(nm_register_layer(ctx, &layer),
            "layer type 'own_affine': fusion and algorithms are the library's own: they must be NULL");
    nm_loss_type loss = loss_type;
    loss.run = NULL;
    refused(nm_register_loss(ctx, &loss), "loss 'own_loss': run must be given");
    nm_optimizer_type optimizer = optimizer_type;
    optimizer.options = NULL;
    refused(nm_register_optimizer(ctx, &optimizer), "optimizer 'own_sign': it must have the option lr, NM_OPT_REAL");
    optimizer = optimizer_type;
    optimizer.slots = 5;
    refused(nm_register_optimizer(ctx, &optimizer), "optimizer 'own_sign': it may have 4 slots at most");
    optimizer.slots = 1;
    optimizer.slot_names = NULL;
    refused(nm_register_optimizer(ctx, &optimizer), "optimizer 'own_sign': each slot must have a name");
    nm_schedule_type schedule = schedule_type;
    schedule.factor = NULL;
    refused(nm_register_schedule(ctx, &schedule), "schedule 'own_half': factor must be given");
}
END_TEST

START_TEST(refuses_options)
{
    nm_option options[] = {
        {.name = "n", .type = NM_OPT_REAL, .offset = 4, .preset = "1", .help = "over the end"},
        {0},
    };
    nm_layer_type layer = affine_type;
    layer.options = options;
    refused(nm_register_layer(ctx, &layer),
            "layer type 'own_affine': option 'n' lies outside the struct that 'size' tells");
    options[0].offset = (size_t)-4;
    refused(nm_register_layer(ctx, &layer),
            "layer type 'own_affine': option 'n' lies outside the struct that 'size' tells");
    options[0].offset = 0;
    options[0].type = NM_OPT_ENUM;
    refused(nm_register_layer(ctx, &layer), "layer type 'own_affine': option 'n' lacks its choices");
    options[0].type = (nm_option_type)99;
    refused(nm_register_layer(ctx, &layer), "layer type 'own_affine': option 'n' has no known type");
    options[0].type = NM_OPT_REAL;
    options[0].help = NULL;
    refused(nm_register_layer(ctx, &layer), "layer type 'own_affine': option 'n' lacks its help");
    options[0].help = "help";
    ck_assert_int_eq(nm_register_layer(ctx, &layer), NM_OK);
}
END_TEST

/* What was compiled when the structs were other ones. */
START_TEST(refuses_other_versions)
{
    size_t compiled[NM_EXTENDING_NUMBERS] = NM_EXTENDING;
    for (int i = 0; i < NM_EXTENDING_NUMBERS; i++) {
        compiled[i] += 8;
        refused(nm_register_type(ctx, NM_LAYER, &affine_type, compiled),
                "a type was compiled against the headers of another version of norma, or in another precision: "
                "compile it against those of norma " NM_VERSION);
        compiled[i] -= 8;
        ck_assert_uint_ne(compiled[i], 0);
    }
    ck_assert_int_eq(nm_register_type(ctx, NM_LAYER, &affine_type, compiled), NM_OK);
}
END_TEST

/* A program whose list of numbers was shorter: behind it there is nothing to read. */
START_TEST(reads_no_longer_list_than_there_is)
{
    static const size_t now[NM_EXTENDING_NUMBERS] = NM_EXTENDING;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    ck_assert_int_eq(mprotect(memory + page, page, PROT_NONE), 0);
    for (size_t count = 1; count < NM_EXTENDING_NUMBERS; count++) {
        size_t *compiled = (size_t *)(void *)(memory + page) - count;
        memcpy(compiled, now, count * sizeof *compiled);
        compiled[0] = count;
        refused(nm_register_type(ctx, NM_LAYER, &affine_type, compiled),
                "a type was compiled against the headers of another version of norma, or in another precision: "
                "compile it against those of norma " NM_VERSION);
    }
    munmap(memory, 2 * page);
}
END_TEST

/* The library's own types keep the rules that callers' must. */
START_TEST(accepts_its_own)
{
    static const size_t compiled[NM_EXTENDING_NUMBERS] = NM_EXTENDING;
    nm_context *bare = nm_context_bare();
    for (int kind = 0; kind < NM_TYPE_KINDS; kind++) {
        const nm_type_list *own = nm_types(ctx, (nm_type_kind)kind);
        for (int i = 0; i < own->count; i++) {
            nm_layer_type layer;
            const void *type = own->types[i];
            if (kind == NM_LAYER) {
                layer = *(const nm_layer_type *)type;
                layer.fusion = NULL;
                layer.algorithms = NULL;
                type = &layer;
            }
            ck_assert_msg(nm_register_type(bare, (nm_type_kind)kind, type, compiled) == NM_OK, "%s",
                          nm_error_message(bare, 0));
        }
    }
    nm_context_free(bare);
}
END_TEST

SUITE_WITH("extending", with_context, refuses_names, refuses_what_is_missing, refuses_options, refuses_other_versions,
           reads_no_longer_list_than_there_is, accepts_its_own)
