/* Checkpoints: what is saved comes back; equal states give equal bytes. */
#include "checkpoint_support.h"
#include "h5.h"

START_TEST(round_trip)
{
    saved s = make_saved(), t = make_saved();
    const char *path = in_folder("a.h5");
    ck_assert_done(nm_checkpoint_save(ctx, path, s.net, &s.state));

    memset(t.net->weights, 0, t.net->weight_count * sizeof(real));
    memset(t.net->states, 0, t.net->state_count * sizeof(real));
    for (int k = 0; k < 2; k++)
        memset(t.state.slot[k], 0, t.net->weight_count * sizeof(real));
    nm_free(t.state.history);
    t.state = (nm_train_state){.optimizer = "adam",
                               .slots = 2,
                               .slot_names = slot_names,
                               .slot = {t.state.slot[0], t.state.slot[1]},
                               .data = "digits"};
    nm_checkpoint *c;
    ck_assert_done(nm_checkpoint_open(ctx, path, &c));
    ck_assert_uint_eq(nm_checkpoint_step(c), 12);
    ck_assert_uint_eq(nm_checkpoint_epoch(c), 2); /* of 10 steps each */
    ck_assert_done(nm_checkpoint_load(ctx, c, t.net, false, NULL));
    ck_assert_done(nm_checkpoint_load_state(ctx, c, t.net, &t.state));

    for (int i = 0; i < t.net->params; i++) {
        const nm_param *param = &t.net->param[i];
        size_t size = param->count * sizeof(real);
        ck_assert_mem_eq(nm_param_values(s.net, param), nm_param_values(t.net, param), size);
        for (int k = 0; k < 2 && param->kind != NM_STATE; k++)
            ck_assert_mem_eq(s.state.slot[k] + param->offset, t.state.slot[k] + param->offset, size);
    }
    ck_assert_uint_eq(t.state.step, 12);
    ck_assert_uint_eq(t.state.seen, 64);
    ck_assert(t.state.loss_sum == 0.1 && t.state.normalisation.mean[0] == 0.3 && t.state.best_accuracy == 0.25);
    ck_assert_int_eq(t.state.history_count, 2);
    ck_assert(isnan(t.state.history[0].test_loss));
    ck_assert_mem_eq(&s.state.history[1], &t.state.history[1], sizeof s.state.history[1]);

    /* what was loaded and is saved again has the same bytes */
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("b.h5"), t.net, &t.state));
    ck_assert_str_eq(digest_of(path), digest_of(in_folder("b.h5")));
    nm_checkpoint_free(c);
    free_saved(&s);
    free_saved(&t);
}
END_TEST

/* Saved a second apart, from another heap: no clock and no left-over memory gets into the file. */
START_TEST(equal_states_equal_bytes)
{
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    free_saved(&s);
    char *noise[200];
    for (int i = 0; i < 200; i++) {
        noise[i] = malloc((size_t)(i + 1) * 37);
        memset(noise[i], 0xa5, (size_t)(i + 1) * 37);
    }
    for (int i = 0; i < 200; i++)
        free(noise[i]);
    usleep(1100000);
    s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("b.h5"), s.net, &s.state));
    ck_assert_str_eq(digest_of(in_folder("a.h5")), digest_of(in_folder("b.h5")));
    s.net->weights[0] += 1;
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("b.h5"), s.net, &s.state));
    ck_assert_str_ne(digest_of(in_folder("a.h5")), digest_of(in_folder("b.h5")));
    free_saved(&s);
}
END_TEST

START_TEST(without_state)
{
    saved s = make_saved();
    nm_checkpoint *c;
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, NULL));
    ck_assert_done(nm_checkpoint_open(ctx, in_folder("a.h5"), &c));
    ck_assert_done(nm_checkpoint_load(ctx, c, s.net, false, NULL));
    ck_assert_int_eq(nm_checkpoint_normalisation(c)->channels, 0);
    ck_assert_int_eq(nm_checkpoint_load_state(ctx, c, s.net, &s.state), NM_INVALID);
    assert_message(WORDS("a.h5", "parameters only"));
    nm_checkpoint_free(c);
    free_saved(&s);
}
END_TEST

/* The text of the model is such that a resumed run, which reads it, writes the same. */
START_TEST(model_text_is_stable)
{
    nm_yaml *document = parse_model("name: 'on'\ntext: \"a: b\"\nempty: ''\nlong: [1, 2, {a: [3, 4]}]\n"
                                    "more: >\n  folded\n  text\nodd: '# no comment'\n");
    char *first, *second;
    ck_assert_done(nm_model_text(ctx, document, &first));
    nm_yaml_free(document);
    document = parse_model(first);
    ck_assert_done(nm_model_text(ctx, document, &second));
    ck_assert_str_eq(first, second);
    nm_yaml_free(document);
    nm_free(first);
    nm_free(second);
}
END_TEST

SUITE_WITH("checkpoint", with_folder, round_trip, equal_states_equal_bytes, without_state, model_text_is_stable)
