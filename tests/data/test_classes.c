/* Classes of a data set, by name, in the numbers of a network. */
#include "classes.h"

#include "data_support.h"
#include "sources.h"

/* Six samples, the labels of two of them in the test split. */
static nm_dataset *make_data(const char *const *names, int classes, const int labels[6], bool pixels)
{
    nm_dataset *data = nm_alloc(ctx, 1, sizeof *data);
    data->name = nm_strdup(ctx, "hdf5");
    data->found = nm_strdup(ctx, "d.h5");
    data->train.pixel_labels = data->test.pixel_labels = pixels;
    nm_shape shape = {1, pixels ? 2 : 1, 1};
    ck_assert_done(nm_samples_make(ctx, &data->train, pixels ? 2 : 4, shape));
    ck_assert_done(nm_samples_make(ctx, &data->test, pixels ? 1 : 2, shape));
    for (int i = 0; i < 6; i++)
        (i < 4 ? data->train.labels + i : data->test.labels + i - 4)[0] = labels[i];
    ck_assert_done(nm_dataset_set_classes(ctx, data, names, classes));
    return data;
}

static void assert_labels(const nm_dataset *data, const int labels[6])
{
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq((i < 4 ? data->train.labels + i : data->test.labels + i - 4)[0], labels[i]);
}

static const char *const animals[] = {"cat", "dog", "emu"};

START_TEST(takes_the_numbers_of_the_names)
{
    nm_dataset *data = make_data(animals, 3, (int[]){0, 1, 1, 0, 1, 0}, false); /* no emu */
    ck_assert_done(nm_dataset_match_classes(ctx, data, "dog\nbird\ncat"));
    assert_labels(data, (int[]){2, 0, 0, 2, 0, 2});
    ck_assert_int_eq(data->classes, 3);
    ck_assert_str_eq(data->class_names[1], "bird");
    nm_dataset_free(data);
}
END_TEST

START_TEST(pixels_of_no_class_stay)
{
    nm_dataset *data = make_data(animals, 3, (int[]){0, NM_NO_LABEL, 1, 0, NM_NO_LABEL, 1}, true);
    ck_assert_done(nm_dataset_match_classes(ctx, data, "dog\ncat"));
    assert_labels(data, (int[]){1, NM_NO_LABEL, 0, 1, NM_NO_LABEL, 0});
    nm_dataset_free(data);
}
END_TEST

START_TEST(the_same_names_change_nothing)
{
    static const char *const twins[] = {"a", "a", "b"}; /* also where two have one name */
    nm_dataset *data = make_data(twins, 3, (int[]){0, 1, 2, 1, 0, 1}, false);
    ck_assert_done(nm_dataset_match_classes(ctx, data, "a\na\nb"));
    assert_labels(data, (int[]){0, 1, 2, 1, 0, 1});
    nm_dataset_free(data);
    data = make_data(NULL, 10, (int[]){9, 1, 2, 3, 4, 5}, false); /* numbers are names */
    ck_assert_done(nm_dataset_match_classes(ctx, data, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9"));
    assert_labels(data, (int[]){9, 1, 2, 3, 4, 5});
    nm_dataset_free(data);
}
END_TEST

START_TEST(unknown_classes_are_named)
{
    nm_dataset *data = make_data(animals, 3, (int[]){0, 1, 1, 0, 1, 2}, false);
    ck_assert_refused(nm_dataset_match_classes(ctx, data, "dog\ncat"), NM_INVALID, "d.h5: ", "1 class that", "'emu'",
                      "2 classes: 'dog', 'cat'");
    nm_dataset_free(data);
    data = make_data(NULL, 300, (int[]){299, 200, 100, 0, 1, 2}, false);
    ck_assert_refused(nm_dataset_match_classes(ctx, data, "dog\ncat"), NM_INVALID, "6 classes that",
                      "'0', '1', '2', '100'");
    nm_dataset_free(data);
}
END_TEST

SUITE_WITH("classes", in_own_folder, takes_the_numbers_of_the_names, pixels_of_no_class_stay,
           the_same_names_change_nothing, unknown_classes_are_named)
