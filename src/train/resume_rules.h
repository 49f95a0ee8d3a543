/* What may change between a run and its going on. */
#ifndef NM_RESUME_RULES_H
#define NM_RESUME_RULES_H

typedef enum nm_resume_rule {
    NM_RESUME_UNKNOWN, /* of a name that is no setting */
    NM_RESUME_FREE,    /* it may change without a word: it steers the run, or changes no result */
    NM_RESUME_ALLOWED, /* it makes another experiment: --allow-change NAME */
    NM_RESUME_REFUSED, /* batches, data or parameters would no longer be those of the run */
} nm_resume_rule;

/* Of a key of the `train:` section. Every key has a rule; docs/training.md lists them. */
nm_resume_rule nm_resume_rule_of(const char *setting);
/* Of an option of a layer, a loss or an optimizer; unknown: of a type that a program brought along,
 * whose options can be allowed. */
nm_resume_rule nm_resume_rule_of_option(const char *option);

#endif
