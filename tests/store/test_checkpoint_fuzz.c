/* Checkpoints with one byte changed and the digest made right again, as whoever means harm would:
 * each is refused, or is a checkpoint. */
#include "changed_bytes.h"
#include "checkpoint_support.h"
#include "digest.h"
#include "h5.h"

static void write_digest(char *bytes, size_t size)
{
    char digest[NM_DIGEST_SIZE];
    nm_digest(&(nm_bytes){bytes + NM_H5_USER_BLOCK, size - NM_H5_USER_BLOCK}, 1, digest);
    memset(bytes, 0, NM_H5_USER_BLOCK);
    snprintf(bytes, NM_H5_USER_BLOCK, "%sbytes %zu\nsha256 %s\n", NM_H5_MARK, size - NM_H5_USER_BLOCK, digest);
}

/* Whether the network and the state of training were taken from it. */
static bool load_all(saved *s)
{
    nm_checkpoint *c;
    nm_train_state state = s->state;
    state.history = NULL;
    nm_status status = nm_checkpoint_open(ctx, in_folder("b.h5"), &c);
    if (status == NM_OK) {
        status = nm_checkpoint_load(ctx, c, s->net, false, NULL);
        if (status == NM_OK)
            status = nm_checkpoint_load_state(ctx, c, s->net, &state);
        nm_checkpoint_free(c);
    }
    ck_assert_msg(status == NM_OK || status == NM_INVALID, "%s", nm_error_message(ctx, 0));
    ck_assert(status == NM_OK || nm_error_count(ctx) > 0);
    nm_errors_clear(ctx);
    nm_free(state.history);
    return status == NM_OK;
}

START_TEST(right_digest)
{
    saved s = make_saved();
    ck_assert_done(nm_checkpoint_save(ctx, in_folder("a.h5"), s.net, &s.state));
    size_t size;
    char *bytes = content(in_folder("a.h5"), &size);
    nm_rng r = nm_rng_stream(1, "test", "bytes");
    long count = fuzz_count(300), taken = 0;
    for (long k = 0; k < count; k++) {
        char was;
        double start = fuzz_seconds();
        size_t at = fuzz_byte(&r, bytes, NM_H5_USER_BLOCK, size, &was);
        write_digest(bytes, size);
        write_content(in_folder("b.h5"), bytes, size);
        bytes[at] = was;
        taken += load_all(&s);
        FUZZ_WITHIN_A_SECOND(start, k);
    }
    ck_assert_int_gt(taken, 0);
    ck_assert_int_lt(taken, count);
    nm_free(bytes);
    free_saved(&s);
}
END_TEST

static void set_up(TCase *tcase)
{
    tcase_set_timeout(tcase, 0);
    with_folder(tcase);
}

SUITE_WITH("checkpoint fuzz", set_up, right_digest)
