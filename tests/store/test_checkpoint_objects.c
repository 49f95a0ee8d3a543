/* Checkpoints of which one object or attribute is missing, or is something else, with the digest
 * made right again: each is refused with a message that names it, or is not needed; and what a
 * checkpoint holds can be told without its network. */
#include "checkpoint_changes.h"
#include "contents.h"

typedef enum way { MISSING, GROUP, TEXT, NUMBER, TABLE, EMPTY, WAYS } way;
static const char *const way_names[] = {"missing", "a group", "a text", "one number", "a table", "of no rows"};

static void replace_object(const char *path, way how)
{
    static const double numbers[9] = {1, 2, 3};
    const char *text = "text";
    hid_t file = open_copy(), string = H5Tcopy(H5T_C_S1);
    H5Tset_size(string, H5T_VARIABLE);
    ck_assert(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
    if (how == GROUP)
        H5Gclose(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    else if (how == TEXT)
        put(file, path, string, 0, NULL, &text);
    else if (how != MISSING)
        put(file, path, H5T_NATIVE_DOUBLE,
            how == NUMBER  ? 0
            : how == TABLE ? 2
                           : 1,
            how == TABLE ? (hsize_t[]){3, 3} : (hsize_t[]){0}, numbers);
    H5Tclose(string);
    H5Fclose(file);
    digest_again();
}

static nm_status load_all(saved *s)
{
    nm_checkpoint *c;
    nm_train_state state = s->state;
    state.history = NULL;
    state.changes = NULL;
    NM_TRY(nm_checkpoint_open(ctx, in_folder("b.h5"), &c));
    nm_status status = nm_checkpoint_load(ctx, c, s->net, false, NULL);
    if (status == NM_OK)
        status = nm_checkpoint_load_state(ctx, c, s->net, &state);
    nm_free(state.history);
    nm_free(state.changes);
    nm_checkpoint_free(c);
    return status;
}

/* Lists what there is; what nothing is wrong with can be read. */
static void list_all(const char *what)
{
    static double numbers[1 << 16];
    nm_contents *c;
    ck_assert_done(nm_contents_open(ctx, in_folder("b.h5"), true, &c));
    ck_assert_done(nm_contents_list(c));
    for (int i = 0; i < c->count; i++) {
        const nm_stored *o = &c->object[i];
        if (o->shape.type == NM_H5_TEXT)
            continue;
        size_t rows = nm_stored_rows(o), block = nm_stored_block(o);
        nm_status status = nm_contents_rows(c, o, 0, rows < block ? rows : block, numbers);
        ck_assert_msg(status == (o->problem ? NM_INVALID : NM_OK), "%s: %s: %s", what, o->path,
                      nm_error_count(ctx) ? nm_error_message(ctx, 0) : "no message");
        nm_errors_clear(ctx);
    }
    nm_contents_free(c);
}

static bool may_be_absent(const char *path)
{
    static const char *const names[] = {"/train/counted", "/train/changes",     "/train/mean", "/train/epoch",
                                        "/train/classes", "/train/data_digest", NULL};
    for (int i = 0; names[i]; i++)
        if (strcmp(path, names[i]) == 0)
            return true;
    return false;
}

/* As messages name it: without /train/step there is no state; another column has more rows than an
 * empty /history/step. */
static const char *name_of(const char *path)
{
    return strncmp(path, "/model/", 7) == 0     ? path + 7
           : strcmp(path, "/train/step") == 0   ? "state of training"
           : strcmp(path, "/train/data") == 0   ? "data"
           : strcmp(path, "/history/step") == 0 ? "/history/"
                                                : path;
}

static void check_loading(saved *s, const char *path, const char *what, bool needed)
{
    nm_status status = load_all(s);
    ck_assert_msg(status == NM_INVALID || (status == NM_OK && !needed), "%s %s: status %d", path, what, status);
    const char *name = name_of(path);
    bool named = status == NM_OK;
    for (int i = 0; i < nm_error_count(ctx); i++)
        named = named || (strstr(nm_error_message(ctx, i), "b.h5") &&
                          (strstr(nm_error_message(ctx, i), name) || strstr(nm_error_message(ctx, i), path)));
    ck_assert_msg(named, "%s %s: '%s'", path, what, nm_error_count(ctx) ? nm_error_message(ctx, 0) : "");
    nm_errors_clear(ctx);
    list_all(path);
}

static nm_contents *contents_of(const char *name)
{
    nm_contents *c;
    ck_assert_done(nm_contents_open(ctx, in_folder(name), true, &c));
    ck_assert_done(nm_contents_list(c));
    return c;
}

START_TEST(objects)
{
    saved s = make_saved();
    s.state.changes = "lr 1 -> 2\n";
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    nm_contents *c = contents_of("a.h5");
    ck_assert_int_gt(c->count, 20);
    for (int i = 0; i < c->count; i++) {
        const char *path = c->object[i].path;
        replace_object(path, (way)_i);
        check_loading(&s, path, way_names[_i], _i == MISSING && !may_be_absent(path));
    }
    nm_contents_free(c);
    s.state.changes = NULL;
    free_saved(&s);
}
END_TEST

/* Of the object at `path`: it is no longer there, or a number where it was a text. */
static void replace_attribute(const char *path, const char *name, bool number)
{
    hid_t file = open_copy(), object = H5Oopen(file, path, H5P_DEFAULT), space = H5Screate(H5S_SCALAR);
    const int64_t value = 7;
    ck_assert_msg(H5Adelete(object, name) >= 0, "%s %s", path, name);
    if (number) {
        hid_t attribute = H5Acreate2(object, name, H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(attribute, H5T_NATIVE_INT64, &value);
        H5Aclose(attribute);
    }
    H5Sclose(space);
    H5Oclose(object);
    H5Fclose(file);
    digest_again();
}

START_TEST(attributes)
{
    static const struct {
        const char *path, *name;
    } table[] = {{"/", "format"}, {"/", "format_version"}, {"/", "norma_version"},        {"/", "openblas_core"},
                 {"/", "isa"},    {"/optimizer", "type"},  {"/model/c1/weight", "layout"}};
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int number = 0; number < 2; number++) {
            replace_attribute(table[i].path, table[i].name, number);
            nm_status status = load_all(&s);
            ck_assert_msg(status == NM_INVALID, "%s %s: status %d", table[i].path, table[i].name, status);
            ck_assert_msg(strstr(nm_error_message(ctx, 0), "b.h5"), "%s", nm_error_message(ctx, 0));
            nm_errors_clear(ctx);
        }
    free_saved(&s);
}
END_TEST

START_TEST(numbers_that_cannot_be)
{
    static const struct {
        const char *path;
        double value;
        const char *words;
    } table[] = {
        {"/train/best_accuracy", -0.5, "/train/best_accuracy is -0.5; expected a share, from 0 to 1"},
        {"/train/best_accuracy", 1.5, "/train/best_accuracy is 1.5; expected a share, from 0 to 1"},
        {"/train/loss_sum", (double)INFINITY, "/train/loss_sum is inf"},
        {"/train/loss_sum", (double)NAN, "/train/loss_sum is nan"},
        {"/train/correct", -1, "/train/correct is -1"},
        {"/train/counted", -2, "/train/counted is -2"},
    };
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        hid_t file = open_copy();
        if (H5Lexists(file, table[i].path, H5P_DEFAULT) > 0)
            H5Ldelete(file, table[i].path, H5P_DEFAULT);
        put(file, table[i].path, H5T_NATIVE_DOUBLE, 0, NULL, &table[i].value);
        H5Fclose(file);
        digest_again();
        ck_assert_int_eq(load_all(&s), NM_INVALID);
        assert_message(WORDS(table[i].words));
        nm_errors_clear(ctx);
    }
    free_saved(&s);
}
END_TEST

/* Another version may differ in its last bits: told, not refused. */
START_TEST(another_version)
{
    saved s = make_saved();
    const char *version = "0.0";
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    hid_t file = open_copy(), space = H5Screate(H5S_SCALAR), string = H5Tcopy(H5T_C_S1);
    H5Tset_size(string, H5T_VARIABLE);
    H5Adelete(file, "norma_version");
    hid_t attribute = H5Acreate2(file, "norma_version", string, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(H5Awrite(attribute, string, &version) >= 0);
    H5Aclose(attribute);
    H5Tclose(string);
    H5Sclose(space);
    H5Fclose(file);
    digest_again();
    ck_assert_done(load_all(&s));

    const uint64_t later = 13;
    file = open_copy();
    H5Ldelete(file, "/train/best_step", H5P_DEFAULT);
    put(file, "/train/best_step", H5T_NATIVE_UINT64, 0, NULL, &later);
    H5Fclose(file);
    digest_again();
    ck_assert_int_eq(load_all(&s), NM_INVALID);
    assert_message(WORDS("/train/best_step is 13; expected at most /train/step"));
    free_saved(&s);
}
END_TEST

/* What stands among the layers and is none. */
START_TEST(what_belongs_to_no_layer)
{
    saved s = make_saved();
    const double value = 1;
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    hid_t file = open_copy();
    put(file, "/model/stray", H5T_NATIVE_DOUBLE, 0, NULL, &value);
    H5Fclose(file);
    digest_again();
    ck_assert_done(load_all(&s));
    file = open_copy();
    put(file, "/model/c1/stray", H5T_NATIVE_DOUBLE, 0, NULL, &value);
    H5Fclose(file);
    digest_again();
    ck_assert_int_eq(load_all(&s), NM_INVALID);
    assert_message(WORDS("b.h5", "another model", "its parameter 'c1/stray' has no place"));
    free_saved(&s);
}
END_TEST

static void set_up(TCase *tcase)
{
    with_folder(tcase);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    tcase_add_loop_test(tcase, objects, 0, WAYS);
}

SUITE_WITH("checkpoint_objects", set_up, attributes, numbers_that_cannot_be, what_belongs_to_no_layer, another_version)
