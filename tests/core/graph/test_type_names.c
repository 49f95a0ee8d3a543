/* Types by their names: dashes and underscores are passed over wherever a name is read. */
#include "parse.h"
#include "registry.h"
#include "run_suite.h"
#include "with_context.h"

#include <string.h>

static nm_network *build(const char *text, const nm_strings *without)
{
    nm_yaml *document;
    nm_network *net = NULL;
    ck_assert_int_eq(nm_yaml_parse(ctx, "t", text, strlen(text), &document), NM_OK);
    nm_status status = nm_network_build(ctx, document, without, &net);
    ck_assert_msg(status == NM_OK, "%s", nm_error_message(ctx, 0));
    return net;
}

START_TEST(found_with_and_without_dashes)
{
    const void *type = nm_type_find(ctx, NM_LAYER, "spatial_dropout");
    ck_assert_ptr_nonnull(type);
    ck_assert_ptr_eq(nm_type_find(ctx, NM_LAYER, "spatial-dropout"), type);
    ck_assert_ptr_eq(nm_type_find(ctx, NM_LAYER, "spatialdropout"), type);
    ck_assert_ptr_null(nm_type_find(ctx, NM_LAYER, "spatial dropout"));
    ck_assert_ptr_null(nm_type_find(ctx, NM_LAYER, ""));
    ck_assert_ptr_null(nm_type_find(ctx, NM_LAYER, "adam"));
    ck_assert_ptr_nonnull(nm_type_find(ctx, NM_OPTIMIZER, "adam"));
    ck_assert_ptr_nonnull(nm_type_find(ctx, NM_LOSS, "softmax-ce"));
    ck_assert_ptr_nonnull(nm_type_find(ctx, NM_SCHEDULE, "one-cycle"));
}
END_TEST

/* Every type's name finds that type: no two are alike but for dashes. */
START_TEST(every_name_is_its_types)
{
    for (int kind = 0; kind < NM_TYPE_KINDS; kind++) {
        const nm_type_list *all = nm_types(ctx, (nm_type_kind)kind);
        ck_assert_int_gt(all->count, 1);
        for (int i = 0; i < all->count; i++)
            ck_assert_ptr_eq(nm_type_find(ctx, (nm_type_kind)kind, all->names[i]), all->types[i]);
    }
}
END_TEST

/* Presets for layers of a type reach them, however the type's name is written. */
START_TEST(defaults_by_another_spelling)
{
    nm_network *net = build("input: {height: 8, width: 8, channels: 1}\n"
                            "defaults: {max-pool: {size: 4}}\n"
                            "layers: [{maxpool: {}}]",
                            NULL);
    ck_assert_int_eq(net->node[1].out.h, 2);
    nm_network_free(net);
}
END_TEST

START_TEST(left_out_by_another_spelling)
{
    nm_strings without = {1, (char *[]){(char[]){"batch-norm"}}};
    nm_network *net = build("input: {height: 8, width: 8, channels: 1}\n"
                            "layers: [{conv: {filters: 2}}, batchnorm, relu]",
                            &without);
    for (int i = net->inputs; i < net->nodes; i++)
        ck_assert_str_ne(net->node[i].type->name, "batchnorm");
    nm_network_free(net);
}
END_TEST

START_TEST(a_bare_context_knows_none)
{
    nm_context *bare = nm_context_bare();
    nm_yaml *document;
    nm_network *net;
    const char *text = "input: {height: 8, width: 8, channels: 1}\nlayers: [relu]";
    ck_assert_int_eq(nm_yaml_parse(bare, "t", text, strlen(text), &document), NM_OK);
    ck_assert_int_eq(nm_network_build(bare, document, NULL, &net), NM_INVALID);
    ck_assert_str_eq(nm_error_message(bare, 0), "t:2:10: unknown layer type 'relu' (norma layers lists all)");
    nm_context_free(bare);
}
END_TEST

SUITE_WITH("type names", with_context, found_with_and_without_dashes, every_name_is_its_types,
           defaults_by_another_spelling, left_out_by_another_spelling, a_bare_context_knows_none)
