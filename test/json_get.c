/* json_get.c: is standard input JSON, and what is at that path?  For scripts.
 *
 * usage: json_get [PATH]    as in  json_get runtimes.0.tasks.running;  #: how many there are
 * Prints strings as they are, the rest as JSON.  Exit status: 1 when it is not JSON, 2 when there is no such value.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    json_error_t error;
    json_t      *root = json_loadf(stdin, 0, &error), *j = root, *count = NULL;
    if (j == NULL) {
        fprintf(stderr, "not JSON: line %d: %s\n", error.line, error.text);
        return 1;
    }
    char *path = strdup(argc > 1 ? argv[1] : ""), *save;
    for (char *part = strtok_r(path, ".", &save); part != NULL && j != NULL; part = strtok_r(NULL, ".", &save))
        if (strcmp(part, "#") == 0)
            j = count = json_integer((json_int_t)(json_is_array(j) ? json_array_size(j) : json_object_size(j)));
        else
            j = json_is_array(j) ? json_array_get(j, (size_t)atol(part)) : json_object_get(j, part);
    int status = j == NULL ? 2 : 0;
    if (json_is_string(j))
        puts(json_string_value(j));
    else if (j != NULL && argc > 1) {
        json_dumpf(j, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
        putchar('\n');
    }
    free(path);
    json_decref(count);
    json_decref(root);
    return status;
}
