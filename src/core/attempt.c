/* core/attempt.c: writes and reads the log of attempts.
 *
 * Run by the supervisor and by workers.  Writes the ring `attempts`.  Dies here: a torn entry, which readers pass over.
 */
#include "core/attempt.h"

#include <string.h>

void fv_attempt_note(const struct fv_attempt *attempt) {
    struct fv_attempt a = *attempt;
    uint64_t          word[8];
    a.number = fv_faa_64(&fv_map.seg->n_attempts, 1) + 1;
    a.pad = 0;
    memcpy(word, &a, sizeof word);
    word[7] = fv_attempt_check(word);
    uint64_t *to = (uint64_t *)(void *)&fv_map.attempts[(a.number - 1) % FV_N_ATTEMPTS];
    for (int i = 0; i < 8; i++)
        fv_store_relaxed_64(&to[i], word[i]);
}

static bool read_attempt(uint32_t i, struct fv_attempt *a) {
    const uint64_t *from = (const uint64_t *)(const void *)&fv_map.attempts[i];
    uint64_t        word[8];
    for (int k = 0; k < 8; k++)
        word[k] = fv_load_relaxed_64(&from[k]);
    memcpy(a, word, sizeof *a);
    return a->number != 0 && word[7] == fv_attempt_check(word);
}

uint32_t fv_attempts_of(uint64_t task, struct fv_attempt *attempts_out, uint32_t room) {
    struct fv_attempt a;
    uint32_t          n = 0;
    uint64_t          end = fv_load_relaxed_64(&fv_map.seg->n_attempts), number = end > FV_N_ATTEMPTS ? end - FV_N_ATTEMPTS : 0;
    for (; number < end; number++) {
        if (!read_attempt((uint32_t)(number % FV_N_ATTEMPTS), &a) || a.task != task)
            continue;
        if (n >= room && room != 0)
            memmove(attempts_out, attempts_out + 1, (room - 1) * sizeof *attempts_out);
        if (room != 0)
            attempts_out[FV_MIN(n, room - 1)] = a;
        n++;
    }
    return n;
}
