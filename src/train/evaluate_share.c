#include "evaluate_share.h"

#include "train.h"

#include <string.h>

/* Of a batch of `samples`, those of process `rank`: the last batch may be short. */
static int share_of(const nm_processes *p, int rank, int batch, int samples)
{
    int count = nm_processes_count(p), first = (int)nm_share_first((size_t)batch, rank, count);
    int end = (int)nm_share_first((size_t)batch, rank + 1, count);
    end = end < samples ? end : samples;
    return end > first ? end - first : 0;
}

/* Where the samples of process `rank` begin; of the number of processes, where the last one's end.
 */
static size_t first_of(const nm_processes *p, int rank, int count, int batch)
{
    size_t whole = (size_t)(count / batch), first = 0;
    for (int r = 0; r < rank; r++)
        first += whole * (size_t)share_of(p, r, batch, batch) + (size_t)share_of(p, r, batch, count % batch);
    return first;
}

size_t nm_evaluation_share_first(const nm_processes *p, int count, int batch)
{
    return first_of(p, nm_processes_rank(p), count, batch);
}

static nm_status gather_losses(nm_processes *p, int count, int batch, double *loss)
{
    size_t offset[NM_MOST_SHARDS + 1];
    for (int r = 0; r <= nm_processes_count(p); r++)
        offset[r] = first_of(p, r, count, batch) * sizeof *loss;
    return nm_processes_gather(p, loss, offset);
}

static double add_losses(const nm_processes *p, int count, int batch, const double *loss)
{
    const double *at[NM_MOST_SHARDS];
    double sum = 0;
    for (int r = 0; r < nm_processes_count(p); r++)
        at[r] = loss + first_of(p, r, count, batch);
    for (int done = 0; done < count; done += batch)
        for (int r = 0; r < nm_processes_count(p); r++)
            for (int i = share_of(p, r, batch, count - done < batch ? count - done : batch); i > 0; i--)
                sum += *at[r]++;
    return sum;
}

static nm_status join_sums(nm_processes *p, nm_evaluation_share *sums)
{
    enum { COUNTED, RIGHT, NOT_FINITE, CULPRIT_AT, NUMBERS };
    int64_t all[NM_MOST_SHARDS][NUMBERS], joined[NUMBERS] = {0};
    size_t offset[NM_MOST_SHARDS + 1];
    int count = nm_processes_count(p), rank = nm_processes_rank(p), first = -1;
    for (int r = 0; r <= count; r++)
        offset[r] = (size_t)r * sizeof *all;
    memcpy(all[rank], (int64_t[]){(int64_t)sums->counted, (int64_t)sums->right, sums->not_finite, sums->culprit_at},
           sizeof *all);
    NM_TRY(nm_processes_gather(p, all, offset));
    for (int r = 0; r < count; r++) {
        for (int i = 0; i < CULPRIT_AT; i++)
            joined[i] += all[r][i];
        if (all[r][CULPRIT_AT] >= 0 && (first < 0 || all[r][CULPRIT_AT] < all[first][CULPRIT_AT]))
            first = r;
    }
    sums->counted = (uint64_t)joined[COUNTED];
    sums->right = (uint64_t)joined[RIGHT];
    sums->not_finite = (int)joined[NOT_FINITE];
    if (first < 0)
        return NM_OK;
    sums->culprit_at = (int)all[first][CULPRIT_AT];
    return nm_processes_broadcast(p, sums->culprit, sizeof sums->culprit, first);
}

nm_status nm_evaluation_share_join(nm_processes *p, int count, int batch, double *loss, nm_evaluation_share *sums,
                                   double *sum)
{
    NM_TRY(gather_losses(p, count, batch, loss));
    NM_TRY(join_sums(p, sums));
    *sum = add_losses(p, count, batch, loss);
    return NM_OK;
}
