/* The n-th system call of fever_init fails: it must say so, or find another way, and leave nothing behind. */
