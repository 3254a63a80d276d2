/* base/label.h: labels of nodes, and what a demand says of them.
 *
 * Pure.  A demand that says nothing of a key takes any node.
 */
#ifndef FV_BASE_LABEL_H
#define FV_BASE_LABEL_H

#include <stdbool.h>
#include <stdint.h>

struct fv_label {
    const char *key, *value;
};

enum fv_label_op { FV_LABEL_IN, FV_LABEL_NOT_IN, FV_LABEL_EXISTS, FV_LABEL_ABSENT };

/* "zone in (a, b)".  A node without the key is not in any set, so NOT_IN holds for it. */
struct fv_label_term {
    const char         *key;
    const char *const  *values; /* of IN and NOT_IN */
    uint32_t            n_values;
    enum fv_label_op    op;
};

/* The first term that does not hold, or n_terms. */
uint32_t fv_label_fails(const struct fv_label *labels, uint32_t n_labels, const struct fv_label_term *terms, uint32_t n_terms);

#define FV_SELECTOR_CHARS  256u
#define FV_SELECTOR_TERMS  8u
#define FV_SELECTOR_VALUES 16u
struct fv_selector { /* terms, and what they point to: not to be copied */
    struct fv_label_term term[FV_SELECTOR_TERMS];
    uint32_t             n_terms, n_values;
    const char          *value[FV_SELECTOR_VALUES];
    char                 text[FV_SELECTOR_CHARS];
};
/* "zone=west|east, tier!=slow|old, ssd, !old": in, not in, exists, absent; all have to hold.  False: it is malformed, or too long. */
bool fv_selector_parse(const char *text, struct fv_selector *s);

static inline bool fv_label_matches(const struct fv_label *labels, uint32_t n_labels, const struct fv_label_term *terms, uint32_t n_terms) {
    return fv_label_fails(labels, n_labels, terms, n_terms) == n_terms;
}

#endif
