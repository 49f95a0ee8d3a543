/* Normalisation within each sample, of groups of channels over height and width: groupnorm,
 * layernorm (one group), instancenorm (as many groups as channels).
 *
 *     y = scale * (x - mean) / sqrt(var + epsilon) + shift,     mean and var (biased) of the
 * sample's group dx = (g - (sum g + xhat * sum g xhat) / m) / sd,          g = dy * scale, m the
 * numbers in a group
 *
 * The variance is taken about the mean in a second pass; sums are in double. Train and eval mode
 * are alike. Backward reads x and the mean and 1 / sd that forward saved. A task is a sample, and
 * what the scale's and shift's gradients get from each sample is added up in the samples' order. */
#ifndef NM_SAMPLE_NORM_H
#define NM_SAMPLE_NORM_H

#include "layer.h"

typedef struct nm_sample_norm {
    int groups;
    double epsilon;
    bool affine;
    bool elements; /* scale and shift have a value for each number of a sample, not for each channel */
} nm_sample_norm;

#define NM_SAMPLE_NORM_OPTIONS(affine_preset, what)                                                                    \
    {"epsilon", NM_OPT_REAL, offsetof(nm_sample_norm, epsilon), "1e-5", 0, 1, .help = "added to the variance"},        \
    {                                                                                                                  \
        "affine", NM_OPT_BOOL, offsetof(nm_sample_norm, affine), affine_preset,                                        \
            .help = "learn a scale and a shift per " what                                                              \
    }

nm_status NM_ISA(nm_sample_norm_declare)(nm_infer *e, const nm_sample_norm *self);
nm_status NM_ISA(nm_sample_norm_plan)(nm_reservation *b, const void *self, void *chosen);
void NM_ISA(nm_sample_norm_forward)(const nm_pass *p, const void *self);
void NM_ISA(nm_sample_norm_backward)(const nm_pass *p, const void *self);

/* The vtable of one of them. */
#define NM_SAMPLE_NORM_TYPE(word, sentence)                                                                            \
    extern const nm_layer_type NM_ISA(nm_layer_##word);                                                                \
    const nm_layer_type NM_ISA(nm_layer_##word) = {.name = #word,                                                      \
                                                   .help = sentence,                                                   \
                                                   .size = sizeof(nm_sample_norm),                                     \
                                                   .options = options,                                                 \
                                                   .least_inputs = 1,                                                  \
                                                   .most_inputs = 1,                                                   \
                                                   .role = NM_ROLE_NORMALISATION,                                      \
                                                   .memory = NM_BACK_X,                                                \
                                                   .infer = word##_infer,                                              \
                                                   .plan = NM_ISA(nm_sample_norm_plan),                                \
                                                   .forward = NM_ISA(nm_sample_norm_forward),                          \
                                                   .backward = NM_ISA(nm_sample_norm_backward)}

#endif
