/* Options that cannot be are refused when the file is read: with the place, what was expected and
 * what was found. */
#include "network.h"
#include "parse.h"
#include "run_suite.h"

#include <stdio.h>
#include <string.h>

#define PAD_EXPECTED(most)                                                                                             \
    "option 'pad' must be same, valid, a whole number from 0 to " #most                                                \
    ", [height, width] or [top, bottom, left, right]; "
#define CONV_PAD PAD_EXPECTED(1024)
#define POOL_PAD PAD_EXPECTED(254)

/* The layer 'c' reads 12x12x6; a maxpool 'p' stands before it. */
static const struct {
    const char *layer, *message;
} cases[] = {
    /* negative padding */
    {"conv: {filters: 4, pad: -1}", "m:4:37: conv 'c': " CONV_PAD "found '-1'"},
    {"conv: {filters: 4, pad: [1, -1]}", "m:4:37: conv 'c': " CONV_PAD "found [1, -1]"},
    {"conv: {filters: 4, pad: [1, 1, 0, -2]}", "m:4:37: conv 'c': " CONV_PAD "found [1, 1, 0, -2]"},
    {"conv: {filters: 4, pad: sane}", "m:4:37: conv 'c': " CONV_PAD "found 'sane'"},
    {"deconv: {filters: 4, pad: -1}", "m:4:39: deconv 'c': " CONV_PAD "found '-1'"},
    {"maxpool: {size: 2, pad: -1}", "m:4:37: maxpool 'c': " POOL_PAD "found '-1'"},
    {"avgpool: {size: 2, pad: -1}", "m:4:37: avgpool 'c': " POOL_PAD "found '-1'"},
    {"sumpool: {size: 2, pad: [0, -1]}", "m:4:37: sumpool 'c': " POOL_PAD "found [0, -1]"},
    {"l2pool: {size: 2, pad: -1}", "m:4:36: l2pool 'c': " POOL_PAD "found '-1'"},
    {"pad: {pad: -1}", "m:4:24: pad 'c': " CONV_PAD "found '-1'"},
    {"deconv: {filters: 4, output_pad: -1}", "m:4:46: deconv 'c': option 'output_pad' must be a whole number from 0"},
    /* what float does not hold */
    {"prelu: {init_value: 1e300}",
     "m:4:33: prelu 'c': option 'init_value' must be a number that float holds; found '1e300'"},
    {"prelu: {init_value: -1e39}",
     "m:4:33: prelu 'c': option 'init_value' must be a number that float holds; found '-1e39'"},
    {"prelu: {init_value: .nan}",
     "m:4:33: prelu 'c': option 'init_value' must be a number that float holds; found '.nan'"},
    {"prelu: {init_value: nan}",
     "m:4:33: prelu 'c': option 'init_value' must be a number that float holds; found 'nan'"},
    {"prelu: {init_value: -.inf}",
     "m:4:33: prelu 'c': option 'init_value' must be a number that float holds; found '-.inf'"},
    {"leaky: {slope: .inf}", "m:4:28: leaky 'c': option 'slope' must be a number from 0 to 1e6; found '.inf'"},
    {"leaky: {slope: infinity}", "m:4:28: leaky 'c': option 'slope' must be a number from 0 to 1e6; found 'infinity'"},
    /* as much padding as window, so that a window sees nothing else */
    {"maxpool: {size: 2, pad: 2}", "m:4:13: maxpool 'c': pad must be smaller than the window; found pad 2 and size 2"},
    {"avgpool: {size: 2, pad: 2}", "m:4:13: avgpool 'c': pad must be smaller than the window; found pad 2 and size 2"},
    /* groups that do not divide */
    {"conv: {filters: 4, groups: 4}",
     "m:4:13: conv 'c': groups must divide the channels; found 4 groups, 6 channels, 4 filters"},
    {"conv: {filters: 4, groups: 3}",
     "m:4:13: conv 'c': groups must divide the channels; found 3 groups, 6 channels, 4 filters"},
    {"deconv: {filters: 4, groups: 3}",
     "m:4:13: deconv 'c': groups must divide the channels; found 3 groups, 6 channels, 4 filters"},
    {"groupnorm: {groups: 4}", "m:4:13: groupnorm 'c': groups must divide the channels; found 4 groups and 6 channels"},
    {"conv: {filters: 4, groups: 0}",
     "m:4:40: conv 'c': option 'groups' must be a whole number from 1 to 1048576; found '0'"},
    /* an output of less than one pixel */
    {"conv: {filters: 4, kernel: 13}",
     "m:4:13: conv 'c': the kernel reaches over 13 pixels in height, but the input has 12"},
    {"conv: {filters: 4, kernel: [1, 13]}",
     "m:4:13: conv 'c': the kernel reaches over 13 pixels in width, but the input has 12"},
    {"deconv: {filters: 4, pad: 8}", "m:4:13: deconv 'c': its output would have -2 rows; its input is 12x12x6"},
    {"deconv: {filters: 4, pad: [0, 7]}", "m:4:13: deconv 'c': its output would have 0 columns; its input is 12x12x6"},
    {"maxpool: {size: 13}", "m:4:13: maxpool 'c': a window of 13 does not fit into its input 12x12x6 with padding 0"},
    {"avgpool: {size: 13}", "m:4:13: avgpool 'c': a window of 13 does not fit into its input 12x12x6 with padding 0"},
    {"sumpool: {size: [1, 13]}",
     "m:4:13: sumpool 'c': a window of 13 does not fit into its input 12x12x6 with padding 0"},
    {"l2pool: {size: 13}", "m:4:13: l2pool 'c': a window of 13 does not fit into its input 12x12x6 with padding 0"},
    {"crop: {crop: 6}", "m:4:13: crop 'c': 12x12x6 cannot be cropped to 0x0"},
    {"adaptive_avgpool: {size: 0}", "m:4:38: adaptive_avgpool 'c': option 'size' must be a whole number from 1"},
    {"upsample: {scale: 0}", "m:4:31: upsample 'c': option 'scale' must be a whole number from 1 to 1024"},
    {"slice: {first: 6}", "m:4:13: slice 'c': takes channels 6 to 6; its input 12x12x6 has 0 to 5"},
    /* dilation beyond the input */
    {"conv: {filters: 4, dilation: 6}",
     "m:4:13: conv 'c': the kernel reaches over 13 pixels in height, but the input has 12 and 0"},
    {"conv: {filters: 4, dilation: [1, 20], pad: 2}", "m:4:13: conv 'c': the kernel reaches over 41 pixels in width"},
    {"conv: {filters: 4, dilation: 0}", "m:4:42: conv 'c': option 'dilation' must be a whole number from 1"},
    /* what a transposed convolution cannot tell from the next larger one */
    {"deconv: {filters: 4, stride: 2, output_pad: 2}",
     "m:4:13: deconv 'c': output_pad must be less than stride or dilation; found 2, 2 and 1"},
    /* unpool without its pool */
    {"unpool: {}", "m:4:21: unpool 'c': option 'pool' (name of the maxpool that it undoes) must be given"},
    {"unpool: {pool: q}", "m:4:3: unpool 'c': expected the name of a maxpool; there is no layer 'q'"},
    {"unpool: {pool: r}", "m:4:3: unpool 'c': expected the name of a maxpool; found the relu 'r'"},
    {"unpool: {pool: input}", "m:4:3: unpool 'c': expected the name of a maxpool; found the input 'input'"},
    {"unpool: {pool: p}", "m:4:13: unpool 'c': its input is 12x12x6; expected 6x6x6, what 'p' gives"},
};

START_TEST(refused_with_its_place)
{
    nm_context *ctx = nm_context_new();
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    char model[512];
    snprintf(model, sizeof model,
             "input: {height: 12, width: 12, channels: 6}\nlayers:\n"
             "- {name: p, maxpool: {size: 2}}\n- {name: c, %s, from: input}\n- {name: r, relu: {}, from: input}\n",
             cases[_i].layer);
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", model, strlen(model), &document), NM_OK);
    ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_INVALID);
    ck_assert_int_eq(nm_error_count(ctx), 1);
    ck_assert_msg(strncmp(nm_error_message(ctx, 0), cases[_i].message, strlen(cases[_i].message)) == 0,
                  "%s: expected '%s', found '%s'", cases[_i].layer, cases[_i].message, nm_error_message(ctx, 0));
    nm_context_free(ctx);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_add_loop_test(tcase, refused_with_its_place, 0, (int)(sizeof cases / sizeof *cases));
}

START_TEST(several_in_one_file)
{
    nm_context *ctx = nm_context_new();
    nm_yaml *document = NULL;
    nm_network *net = NULL;
    const char *model = "input: {height: 12, width: 12, channels: 6}\nlayers:\n- {conv: {filters: 4, pad: -1}}\n"
                        "- {maxpool: {size: 0}}\n- {deconv: {filters: 4, stride: 0}}\n";
    ck_assert_int_eq(nm_yaml_parse(ctx, "m", model, strlen(model), &document), NM_OK);
    ck_assert_int_eq(nm_network_build(ctx, document, NULL, &net), NM_INVALID);
    ck_assert_int_eq(nm_error_count(ctx), 3);
    nm_context_free(ctx);
}
END_TEST

SUITE_WITH("bad options", set_up, several_in_one_file)
