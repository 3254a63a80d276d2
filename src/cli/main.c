/* cli/main.c: the fever command. */
#include <stdio.h>
int main(void) {
    puts("usage: fever COMMAND");
    return 2;
}
