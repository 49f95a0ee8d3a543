/* Settings that have no effect. Private to src/train. */
#ifndef NM_IDLE_H
#define NM_IDLE_H

#include "train_run.h"

/* Logs a line for each setting that was given, is not its preset, and does nothing in this run. */
nm_status nm_idle_report(nm_train_run *t) NM_MUST_USE;

/* Asks the rule of one setting alone, given or not. */
bool nm_idle(nm_train_run *t, const char *setting);

#endif
