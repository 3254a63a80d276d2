/* policy/label.c: see label.h. */
#include "policy/label.h"

#include <stddef.h>
#include <string.h>

static const char *value_of(const struct fv_label *labels, uint32_t n, const char *key) {
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(labels[i].key, key) == 0)
            return labels[i].value;
    return NULL;
}

static bool is_among(const struct fv_label_term *t, const char *value) {
    for (uint32_t i = 0; value != NULL && i < t->n_values; i++)
        if (strcmp(t->values[i], value) == 0)
            return true;
    return false;
}

static bool holds(const struct fv_label_term *t, const char *value) {
    switch (t->op) {
    case FV_LABEL_IN: return is_among(t, value);
    case FV_LABEL_NOT_IN: return !is_among(t, value);
    case FV_LABEL_EXISTS: return value != NULL;
    case FV_LABEL_ABSENT: return value == NULL;
    }
    return false;
}

uint32_t fv_label_fails(const struct fv_label *labels, uint32_t n_labels, const struct fv_label_term *terms, uint32_t n_terms) {
    uint32_t i = 0;
    while (i < n_terms && holds(&terms[i], value_of(labels, n_labels, terms[i].key)))
        i++;
    return i;
}
