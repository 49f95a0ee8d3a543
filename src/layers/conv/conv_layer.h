/* The inside of the layer type conv: its options, and what planning chooses. Shared by conv.c
 * (options, shapes), conv/plan.c and conv/passes.c. */
#ifndef NM_CONV_LAYER_H
#define NM_CONV_LAYER_H

#include "batchnorm.h"
#include "conv.h"

typedef struct conv {
    int filters, kernel[2], stride[2], dilation[2], groups;
    nm_pad pad;
    bool bias;
    int init;
    double init_value;
    bool standardise;
    nm_choice activation; /* the layer after this one, made by the parser */
    char *algorithm;
    nm_conv_geometry g; /* set by infer */
} conv;

/* Per plan: who does what, and where the kernel turned round lies in scratch. */
typedef struct choice {
    const nm_conv_algorithm *by[NM_CONV_KINDS];
    bool turned; /* the gradient by x goes through forward of the turned geometry */
    nm_conv_geometry turn;
    size_t turned_offset;   /* bytes into scratch */
    size_t standard_offset; /* bytes into scratch: standardised weights, and (backward) their gradient */
    int most;               /* samples */
    int slice;              /* samples that go through all steps of backward at once */
    nm_conv_wish wish;
    bool norm;                /* batch norm is done here too: in evaluation folded in, */
    bool stem;                /* in training by computing outputs again: see conv/stem.h; otherwise conv/normed.h */
    nm_batchnorm_after after; /* done here too, after batch norm or without */
    size_t folded_offset;     /* bytes into scratch: batch norm's factor and bias for each filter */
    size_t norm_offset;       /* bytes into scratch: see conv/normed.h */
} choice;

/* For "did you mean": "auto" and every algorithm; NULL-terminated. */
extern const char *const NM_ISA(nm_conv_names)[];
enum { NM_CONV_NAMES = 10 };

void NM_ISA(nm_conv_forward)(const nm_pass *p, const void *self);
void NM_ISA(nm_conv_backward)(const nm_pass *p, const void *self);
nm_status NM_ISA(nm_conv_plan)(nm_booking *b, const void *self, void *chosen);
bool NM_ISA(nm_conv_leaves_normalisation)(const void *self, const void *chosen);
void NM_ISA(nm_conv_lazy_normalisation)(const nm_pass *p, const void *self, nm_lazy_normalisation *out);
bool NM_ISA(nm_conv_reads_lazy_normalisation)(const void *self, const void *chosen, const nm_rules *rules);
bool NM_ISA(nm_conv_fuse)(const void *self, void *chosen, const nm_offer *offer, unsigned *memory);
double NM_ISA(nm_conv_overhead)(const void *self, const nm_rules *rules, int n);
void NM_ISA(nm_conv_describe)(const void *self, const void *chosen, char *text, size_t size);
void NM_ISA(nm_conv_explain_choice)(const void *self, const void *chosen, char *text, size_t size);
extern const nm_tuning NM_ISA(nm_conv_tuning);

#endif
