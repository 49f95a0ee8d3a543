/* norma: answers from many threads at once, in memory that is set up beforehand.
 *
 * The predictor of norma.h holds a trained network and predicts for one thread. Any number of
 * sessions share its parameters; each has the memory to run the network, and belongs to one thread
 * at a time:
 *
 *     nm_predictor *predictor;                             // once
 *     nm_predictor_open(ctx, "runs/first/best.h5", &predictor);
 *
 *     nm_context *mine = nm_context_new();                 // in each thread
 *     nm_session *session;
 *     nm_session_options options = NM_SESSION_OPTIONS_INIT;
 *     options.batch = 8;
 *     nm_session_new(mine, predictor, &options, &session);
 *     while (wait_for_images(pixels, &n))                  // n <= 8
 *         if (nm_session_run_u8(mine, session, n, pixels, sizeof pixels, outputs, 8 * 10) == NM_OK)
 *             answer(outputs, n);
 *     nm_session_free(session);
 *     nm_context_free(mine);
 *
 * All answers have the bits that nm_predict_u8 and nm_predict_f32 give, whatever the batch, the
 * threads and the images beside one. A call that succeeds takes no memory and no lock. Each thread
 * passes a context of its own, which gets the messages. Names of classes: tools.h. */
#ifndef NORMA_INFERENCE_H
#define NORMA_INFERENCE_H

#include "norma.h"
#include "shape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nm_session nm_session;
struct nm_network; /* training.h */

/* Set it to NM_SESSION_OPTIONS_INIT, then the fields. */
typedef struct nm_session_options {
    size_t size;
    int batch; /* most images of a call, >= 1; preset: 1 */
    /* That share a call's work, >= 1; preset: 1, which is best where several sessions run at once.
     * With more, the thread that calls has a team, which is made in its first call and lives as
     * long as the thread. */
    int threads;
    /* Names of layers, as norma summary has them, whose outputs are wanted too (nm_session_tap);
     * preset: none. A layer whose output is wanted is computed for itself, where it would be joined
     * with the next ones otherwise: a call takes longer, and the last bits of the answers may
     * differ from those without. */
    const char *const *taps; /* [tap_count] */
    int tap_count;
} nm_session_options;
#define NM_SESSION_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        sizeof(nm_session_options), 1, 1, NULL, 0                                                                      \
    }

/* A session on the network of a predictor, which must outlive it. Several threads may call this for
 * one predictor at once. `options` NULL: the presets. NM_INVALID: an option is out of range, or no
 * layer has the name of a tap. */
NM_API nm_status nm_session_new(nm_context *ctx, const nm_predictor *predictor, const nm_session_options *options,
                                nm_session **out);
/* The same on a network of training.h, which must outlive it. It takes values only: no pixels are
 * normalised. While its parameters are changed, no session may run; afterwards sessions use the new
 * ones. */
NM_API nm_status nm_session_on_network(nm_context *ctx, const struct nm_network *network,
                                       const nm_session_options *options, nm_session **out);
NM_API void nm_session_free(nm_session *session);

/* Of one image: what it takes, what it gives, and what tap number `tap` gives. */
NM_API nm_shape nm_session_input(const nm_session *session);
NM_API nm_shape nm_session_output(const nm_session *session);
NM_API nm_shape nm_session_tap_shape(const nm_session *session, int tap);

/* Predicts n images, 1 to options.batch: pixels are [n][h][w][c], 0 to 255, and are normalised as
 * in training; outputs get [n][h][w][c] of nm_session_output, probabilities or scores as
 * nm_predictor_probabilities says. The lengths are those of the caller's arrays, in elements:
 * NM_INVALID, and nothing is written, where one is too short. NM_DIVERGED: for some images the
 * network yields NaN or infinity; their outputs are all NaN. */
NM_API nm_status nm_session_run_u8(nm_context *ctx, nm_session *session, int n, const uint8_t *pixels,
                                   size_t pixels_length, float *outputs, size_t outputs_length);
/* The same from values as the network sees them: nothing is normalised. */
NM_API nm_status nm_session_run_f32(nm_context *ctx, nm_session *session, int n, const float *values,
                                    size_t values_length, float *outputs, size_t outputs_length);

/* What the layer of tap number `tap`, from 0, gave in the last call, before any softmax or sigmoid
 * of the loss: values get [n][h][w][c] of nm_session_tap_shape for the n of that call. NM_INVALID:
 * there was no call, or no such tap, or values_length is too small. */
NM_API nm_status nm_session_tap(nm_context *ctx, const nm_session *session, int tap, float *values,
                                size_t values_length);

#ifdef __cplusplus
}
#endif

#endif
