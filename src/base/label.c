/* base/label.c: see label.h. */
#include "base/label.h"

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

/* Without blanks at both ends, and none within; NULL: nothing is left. */
static char *word_of(char *text) {
    text += strspn(text, " \t");
    size_t n = strcspn(text, " \t");
    if (n == 0 || text[n + strspn(text + n, " \t")] != '\0')
        return NULL;
    text[n] = '\0';
    return text;
}

static bool parse_term(struct fv_selector *s, char *text) {
    struct fv_label_term *t = &s->term[s->n_terms];
    char                 *equals = strchr(text, '='), *save = NULL, *bang;
    bool                  is_not = equals != NULL && equals > text && equals[-1] == '!';
    if (s->n_terms == FV_SELECTOR_TERMS)
        return false;
    if (equals == NULL) {
        bang = text + strspn(text, " \t");
        t->op = *bang == '!' ? FV_LABEL_ABSENT : FV_LABEL_EXISTS;
        t->key = word_of(bang + (*bang == '!'));
    } else {
        equals[-is_not] = '\0';
        t->op = is_not ? FV_LABEL_NOT_IN : FV_LABEL_IN;
        t->key = word_of(text);
        t->values = &s->value[s->n_values];
        for (char *v = strtok_r(equals + 1, "|", &save); v != NULL; v = strtok_r(NULL, "|", &save)) {
            if (s->n_values == FV_SELECTOR_VALUES || (v = word_of(v)) == NULL || strpbrk(v, "=!") != NULL)
                return false;
            s->value[s->n_values++] = v;
            t->n_values++;
        }
        if (t->n_values == 0)
            return false;
    }
    s->n_terms++;
    return t->key != NULL && strpbrk(t->key, "!|=") == NULL;
}

bool fv_selector_parse(const char *text, struct fv_selector *s) {
    memset(s, 0, sizeof *s);
    if (strlen(text) >= sizeof s->text)
        return false;
    strcpy(s->text, text);
    for (char *term = s->text, *next; term != NULL; term = next) {
        next = strchr(term, ',');
        if (next != NULL)
            *next++ = '\0';
        if (!parse_term(s, term))
            return false;
    }
    return true;
}
