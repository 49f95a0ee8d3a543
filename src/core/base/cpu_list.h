/* Sets of CPUs, as Linux writes them: "0-3,8". */
#ifndef NM_CPU_LIST_H
#define NM_CPU_LIST_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* false: the text is no such list. Spaces at its end are passed over; the empty text is the empty
 * set. CPUs from CPU_SETSIZE on are left out. */
bool nm_cpu_list_parse(const char *text, cpu_set_t *set);

/* Of a file. false: it cannot be read, too. */
bool nm_cpu_list_read(const char *path, cpu_set_t *set);

/* Writes the list, and "…" at its end where `size` bytes (at least 1) do not hold all of it.
 * Returns text. */
const char *nm_cpu_list_text(const cpu_set_t *set, char *text, size_t size);

#endif
