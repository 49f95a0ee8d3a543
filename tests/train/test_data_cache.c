/* The data set that stays for the runs that follow: for those that read the same, and no others. */
#include "train_support.h"

static void train_on(const char *data, const char *run, nm_data_cache *cache)
{
    char setting[600];
    nm_train_result r;
    snprintf(setting, sizeof setting, "train.data=%s", data);
    ck_assert_done(train_request(SMALL_MODEL, (nm_train_request){.run = run, .cache = cache},
                                 SETTINGS("train.steps=1", setting), &r));
    free_result(&r);
}

START_TEST(other_data_is_opened)
{
    char other[600];
    nm_data_cache cache = {0};
    train_on("mnist", in_folder("a"), &cache);
    const nm_dataset *first = cache.data;
    ck_assert(first && first->train.count == 400);
    train_on("mnist", in_folder("b"), &cache);
    ck_assert_ptr_eq(cache.data, first);
    char digest[sizeof cache.digest];
    memcpy(digest, cache.digest, sizeof digest);
    ck_assert_str_ne(digest, "");
    ck_assert(mkdir(in_folder("other"), 0777) == 0 && mkdir(in_folder("other/mnist"), 0777) == 0);
    write_split(in_folder("other"), "train", 350);
    write_split(in_folder("other"), "t10k", 120);
    snprintf(other, sizeof other, "mnist:%s", in_folder("other/mnist"));
    train_on(other, in_folder("c"), &cache);
    ck_assert_int_eq(cache.data->train.count, 350);
    ck_assert_str_ne(cache.digest, digest);
    nm_data_cache_free(&cache);
    ck_assert(!cache.data && !cache.key);
}
END_TEST

SUITE_WITH("data_cache", with_folder, other_data_is_opened)
