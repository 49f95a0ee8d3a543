/* Every entry of the table of convolution algorithms, on random geometries that it does not
 * decline: a new algorithm is tested here without a line for it. Forward and weights go by its
 * name; the gradient by x too, by its own function or by its forward of the turned kernel. */
#include "conv_check.h"
#include "parse.h"
#include "run_suite.h"

#include <string.h>

/* A kind of convolution that networks have, with random numbers: draws `now` and an input for it.
 */
typedef nm_shape draw(void);

static nm_shape any_kernel(void)
{
    int groups = pick(1, 2);
    now = (setting){groups * pick(1, 20),
                    {pick(1, 4), pick(1, 4)},
                    {pick(1, 3), pick(1, 3)},
                    {pick(1, 2), pick(1, 2)},
                    groups,
                    pick(0, 2),
                    pick(0, 2),
                    pick(0, 1)};
    return (nm_shape){reach(0) + pick(0, 6), reach(1) + pick(0, 6), groups * pick(1, 20)};
}
static nm_shape odd_kernel(void) /* stride 1: 1x1 to 7x7, not always square */
{
    int width = 1 + 2 * pick(0, 3), height = pick(0, 1) ? width : pick(1, 7);
    now = (setting){pick(1, 35), {height, width}, {1, 1}, {1, 1}, 1, height / 2, width / 2, pick(0, 1)};
    return (nm_shape){height + pick(0, 9), width + pick(2, 12), pick(1, 35)};
}
static nm_shape first_layer(void)
{
    int stride = pick(1, 2);
    now = (setting){16 * pick(1, 3), {3, 3}, {stride, stride}, {1, 1}, 1, pick(0, 1), pick(0, 1), pick(0, 1)};
    return (nm_shape){pick(4, 12), pick(4, 12), pick(1, 3)};
}
static nm_shape of_each_channel(void)
{
    int channels = pick(1, 50), kernel = pick(1, 5), stride = pick(1, 2);
    now = (setting){channels, {kernel, kernel}, {stride, stride}, {1, 1}, channels, kernel / 2, kernel / 2, pick(0, 1)};
    return (nm_shape){kernel + pick(0, 7), kernel + pick(0, 7), channels};
}

/* Whether the layer can be built: an algorithm that is named is refused where it declines. (The
 * table as this file sees it is the lowest instruction set's.) */
static bool can_build(const char *layer, nm_shape in)
{
    nm_context *ctx = nm_context_new();
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    const char *model = text("input: {height: %d, width: %d, channels: %d}\nlayers:\n- %s\n", in.h, in.w, in.c, layer);
    ck_assert_int_eq(nm_yaml_parse(ctx, "case", model, strlen(model), &document), NM_OK);
    bool built = nm_network_build(ctx, document, NULL, &net) == NM_OK;
    nm_network_free(net);
    nm_context_free(ctx);
    return built;
}

START_TEST(every_algorithm)
{
    static draw *const draws[] = {any_kernel, odd_kernel, first_layer, of_each_channel};
    enum { CASES = 6, DRAWS = 2000 };
    const nm_conv_algorithm *const *all = NM_ISA(nm_conv_algorithms)();
    int algorithms = 0;
    for (; all[algorithms]; algorithms++) {
        const nm_conv_algorithm *a = all[algorithms];
        int cases = 0;
        for (int i = 0; i < DRAWS && cases < CASES; i++) {
            nm_shape in = draws[i % 4]();
            if (!can_build(layer_text(a->name), in))
                continue;
            cases++;
            check_layer(&(layer_case){layer_text(a->name),
                                      {in},
                                      .n = pick(1, 9),
                                      .linear = true,
                                      .float_tolerance = a->exact ? 1e-5 : 3e-5},
                        reference);
        }
        ck_assert_msg(cases == CASES, "%s does %d of %d convolutions drawn here: draw some of its kind", a->name, cases,
                      DRAWS);
    }
    ck_assert_str_eq(all[algorithms - 1]->name, "reference");
}
END_TEST

/* The names that the option takes, and those that are measured, are the table's. */
START_TEST(names_are_the_tables)
{
    const nm_conv_algorithm *const *all = NM_ISA(nm_conv_algorithms)();
    const char *const *names = NM_ISA(nm_conv_names), *const *measured = NM_ISA(nm_conv_measured);
    const char *help = NULL;
    nm_context *ctx = nm_context_new();
    const nm_layer_type *type = nm_type_find(ctx, NM_LAYER, "conv");
    for (const nm_option *o = type->options; o->name; o++)
        help = strcmp(o->name, "algorithm") == 0 ? o->help : help;
    nm_context_free(ctx);
    ck_assert_ptr_nonnull(help);
    ck_assert_str_eq(names[0], "auto");
    int i = 0;
    for (; all[i]; i++) {
        ck_assert_str_eq(names[i + 1], all[i]->name);
        ck_assert_ptr_nonnull(strstr(help, all[i]->name));
        if (strcmp(all[i]->name, "reference") != 0)
            ck_assert_str_eq(measured[i], all[i]->name);
        else
            ck_assert_ptr_null(measured[i]);
    }
    ck_assert_ptr_null(names[i + 1]);
}
END_TEST

/* Gradients of biases, in blocks of channels: whole ones, and what is left. */
START_TEST(sums_of_columns)
{
    enum { MOST = 4 * 130 };
    static const int channels[] = {5, 64, 65, 130};
    real dy[MOST], sum[MOST];
    for (int i = 0; i < MOST; i++)
        dy[i] = (real)(i % 37);
    for (int k = 0; k < 4; k++)
        for (int rows = 0; rows <= 4; rows++) {
            for (int c = 0; c < channels[k]; c++)
                sum[c] = (real)c;
            NM_ISA(nm_conv_column_sums)(dy, rows, channels[k], sum);
            for (int c = 0; c < channels[k]; c++) {
                int expected = c;
                for (int r = 0; r < rows; r++)
                    expected += (r * channels[k] + c) % 37;
                ck_assert(sum[c] == (real)expected); /* whole numbers: there is no rounding */
            }
        }
}
END_TEST

SUITE("conv algorithms", every_algorithm, names_are_the_tables, sums_of_columns)
