/* norma gradcheck calls right gradients right, whatever their size, and wrong use by its name. */
#include "program.h"

static void expect_good(const char *model)
{
    write_text("m.yaml", model);
    said s = expect(0, "norma gradcheck m.yaml --samples 10");
    ck_assert_msg(!strstr(s.out, "WRONG"), "%s\n%s", model, s.out);
}

/* Outputs near 1e-6, whose loss is near 2.3: a difference of two losses has no digits left for such
 * derivatives. */
START_TEST(small_weights)
{
    expect_good("input: {height: 16, width: 16, channels: 3}\n"
                "layers:\n"
                "- {name: conv1, conv: {filters: 8, kernel: 5, pad: 2, init: normal, init_value: 0.0001}}\n"
                "- {name: pool1, maxpool: {size: 3, stride: 2, ceil: true}}\n"
                "- relu\n"
                "- {name: conv2, conv: {filters: 8, kernel: 5, pad: 2, init: normal, init_value: 0.01}}\n"
                "- relu\n"
                "- {name: ip1, dense: {units: 10, init: normal, init_value: 0.01}}\n"
                "loss: softmax_ce\n");
}
END_TEST

/* The gradient of a bias before batch norm is zero but for rounding. */
START_TEST(gradients_that_cancel)
{
    expect_good("input: {height: 8, width: 8, channels: 1}\n"
                "layers:\n"
                "- {name: c1, conv: {filters: 4, kernel: 3, pad: same}}\n"
                "- batchnorm\n"
                "- relu\n"
                "- {name: d1, dense: {units: 8}}\n"
                "- batchnorm\n"
                "- {name: logits, dense: {units: 3}}\n"
                "loss: softmax_ce\n");
}
END_TEST

/* What is a target does not move with what is checked. */
START_TEST(input_as_target)
{
    expect_good("input: {height: 6, width: 6, channels: 1}\n"
                "layers:\n"
                "- {name: c1, conv: {filters: 2, kernel: 3, pad: same}}\n"
                "- tanh\n"
                "- {name: c2, conv: {filters: 1, kernel: 3, pad: same}}\n"
                "loss: {mse: {}, target: input}\n");
}
END_TEST

/* The targets have the shape of what the losses judge, which need not be the output's. */
START_TEST(output_of_another_shape)
{
    expect_good("input: {height: 4, width: 4, channels: 1}\n"
                "layers:\n"
                "- {name: c1, conv: {filters: 9, kernel: 3, pad: same}}\n"
                "- {name: logits, dense: {units: 3}}\n"
                "- {name: side, dense: {units: 2}, from: c1}\n"
                "loss: [{softmax_ce: {}, from: logits}, {softmax_ce: {}, from: side, weight: 0.3}]\n"
                "output: c1\n");
}
END_TEST

/* Scores that overflow have no gradient: it is not right for being no number. */
START_TEST(gradients_that_are_no_numbers)
{
    write_text("m.yaml", "input: {height: 2, width: 2, channels: 1}\n"
                         "layers:\n"
                         "- {name: d1, dense: {units: 3, init: normal, init_value: 1.0e308}}\n"
                         "- {name: d2, dense: {units: 3, init: normal, init_value: 1.0e308}}\n"
                         "loss: softmax_ce\n");
    said s = expect(1, "norma gradcheck m.yaml --samples 3");
    ck_assert_ptr_null(strstr(s.out, "good"));
    contains(s.err, "6 arrays have gradients that are off");
    json_t *list = parse_json(expect(1, "norma gradcheck m.yaml --samples 3 --json").out);
    ck_assert_uint_eq(json_array_size(list), 6);
    ck_assert(json_is_null(json_object_get(json_array_get(list, 0), "error")));
    json_decref(list);
}
END_TEST

START_TEST(json)
{
    json_t *list = parse_json(expect(0, "norma gradcheck tiny.yaml --batch 2 --samples 3 --json").out);
    ck_assert_str_eq(text_at(entry_of(list, 0), "name"), "softmax_ce of logits");
    for (size_t i = 0; i < json_array_size(list); i++) {
        ck_assert(json_is_true(json_object_get(json_array_get(list, i), "good")));
        ck_assert(number_at(json_array_get(list, i), "error") < 1e-6);
    }
    json_decref(list);
    contains(expect(2, "norma gradcheck .").err, ".: a folder; expected a MODEL");
    contains(expect(2, "norma gradcheck r/best.h5").err, "r/best.h5: a checkpoint; expected a MODEL");
    contains(expect(2, "norma gradcheck tiny.yaml --set loss=hinje").err, "did you mean 'hinge'?");
}
END_TEST

SUITE_WITH("gradcheck", in_own_folder, small_weights, gradients_that_cancel, input_as_target, output_of_another_shape,
           gradients_that_are_no_numbers, json)
