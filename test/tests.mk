# test/tests.mk: the tests, all of them TAP.
#
#   C_TESTS        test/NAME, built from test/NAME.c on libfever_core.la (hidden symbols in sight)
#   SCRIPT_TESTS   executable scripts; they find their files through top_srcdir and top_builddir
#   TEST_HELPERS   programs that tests start, no tests themselves
#   TEST_SUPPORT   sources that all C tests share (headers need no entry)
#   LONG_TESTS     those of the above that `make check-crash` runs with FEVER_TEST_LONG=1
#   HARNESS_TESTS  those that are the same whatever the event back end and CFLAGS are: they build for themselves, or step
#                  through objects with flags of their own
#   TSAN_TESTS     those of C_TESTS that run in threads mode, for ThreadSanitizer
#
# A test called test/sub/name may add test_sub_name_SOURCES and the like, by automake's rules.

C_TESTS       = test/t_base test/t_plat test/t_event test/t_obs test/t_runtime test/t_task test/t_nested test/t_group \
                test/t_object test/t_badinput test/t_weather test/t_inline test/t_idle test/t_memory test/t_options test/t_threads test/t_tsan
C_TESTS      += test/t_stream test/t_parts
C_TESTS      += test/t_actor test/t_checkpoint test/t_deadlock test/t_actor_name test/t_actor_calls test/t_actor_stream test/t_held test/t_pool
C_TESTS      += test/t_arena test/t_warm
test_t_arena_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fv_segment_alloc
C_TESTS      += test/t_cancel test/t_cancel_process
C_TESTS      += test/t_adoption test/t_oomkill
C_TESTS      += test/t_store_core
C_TESTS      += test/t_error test/t_fileio test/t_file
C_TESTS      += test/t_policy test/t_resources test/t_evict
C_TESTS      += test/t_scale test/t_nodes
# objects as people see them
C_TESTS      += test/t_array test/t_leak
SCRIPT_TESTS  = test/check-layers test/check-order test/check-man test/t_compile test/t_openmp test/t_cli test/t_simulate test/model/run-models
TEST_HELPERS  = test/cli_demo test/json_get
TEST_SUPPORT  =
LONG_TESTS    = test/model/run-models
HARNESS_TESTS = test/model/run-models test/mutants/run test/crash/kill_O0 test/crash/kill_O2
TSAN_TESTS    = test/t_base test/t_tsan

# What tasks print, what they do that they should not, and how they wait.
C_TESTS += test/t_output test/t_hostile test/t_blocked

# More data than the store has room for.
C_TESTS    += test/t_spill test/t_spill_weather test/t_source test/crash/t_spill_nth test/t_fallback
C_TESTS    += test/t_spill_get test/t_spillfile
test_t_spill_get_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fv_io_run,--wrap=fork
C_TESTS    += test/crash/storm_store test/crash/storm_actor
LONG_TESTS += test/t_fallback test/t_spill test/t_spill_weather test/crash/storm_store test/crash/storm_actor
test_crash_t_spill_nth_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fv_io_run,--wrap=statvfs,--wrap=sendmsg,--wrap=fallocate

# Crash harness: the whole library once more, so that both what gcc makes with and without optimisation is stepped through.
C_TESTS    += test/crash/kill_O0 test/crash/kill_O2 test/crash/storm test/crash/t_death test/crash/t_nth
LONG_TESTS += test/crash/kill_O0 test/crash/kill_O2 test/crash/storm test/crash/t_death test/mutants/run
SCRIPT_TESTS += test/mutants/run
CRASH_KILL_SOURCES = test/crash/kill.c test/crash/ops.c test/crash/roles.c test/crash/hold_roles.c test/crash/stepper.c \
                     $(BASE_SOURCES) $(PLAT_SOURCES) $(SHM_SOURCES) $(POLICY_SOURCES) $(RUN_SOURCES) $(API_SOURCES) \
                     src/core/delay.c src/core/group.c src/core/options.c src/core/stream.c src/core/sweep.c src/core/task.c src/core/validate.c
CRASH_KILL_SOURCES += src/core/attempt.c src/core/failure.c
CRASH_KILL_SOURCES += src/core/home.c src/core/placement.c src/core/queued.c
CRASH_KILL_SOURCES += src/core/cancel.c
CRASH_KILL_SOURCES += src/core/object.c
CRASH_KILL_SOURCES += src/core/actor.c src/core/deadlock.c src/core/name.c
CRASH_KILL_SOURCES += src/core/store.c
CRASH_KILL_SOURCES += test/crash/ops_host.c
CRASH_KILL_SOURCES += test/crash/ops_arena.c
CRASH_KILL_SOURCES += test/crash/ops_stream.c
CRASH_KILL_SOURCES += test/crash/ops_cancel.c
CRASH_KILL_SOURCES += test/crash/ops_object.c
CRASH_KILL_SOURCES += test/crash/ops_grant.c
CRASH_KILL_SOURCES += test/crash/ops_actor.c
CRASH_KILL_SOURCES += test/crash/ops_store.c
CRASH_KILL_SOURCES += test/crash/ops_fallback.c
test_crash_kill_O0_SOURCES  = $(CRASH_KILL_SOURCES)
test_crash_kill_O0_CPPFLAGS = $(AM_CPPFLAGS) -DFEVER_INTERNAL -DFV_STEPPED
test_crash_kill_O0_LDFLAGS  = $(AM_LDFLAGS) -Wl,-z,now
test_crash_kill_O0_LDADD    = $(LIBURING_LIBS) $(HWLOC_LIBS) $(LIBUNWIND_LIBS) $(LIBDW_LIBS) -lm
test_crash_kill_O2_SOURCES  = $(CRASH_KILL_SOURCES)
test_crash_kill_O2_CPPFLAGS = $(AM_CPPFLAGS) -DFEVER_INTERNAL -DFV_STEPPED
test_crash_kill_O2_LDFLAGS  = $(AM_LDFLAGS) -Wl,-z,now
test_crash_kill_O2_LDADD    = $(LIBURING_LIBS) $(HWLOC_LIBS) $(LIBUNWIND_LIBS) $(LIBDW_LIBS) -lm
# who counts what the kernel has killed
test_t_oomkill_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fv_limits_oom_kills
# the calls of the library that can be made to fail
test_crash_t_nth_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fork,--wrap=mmap,--wrap=mprotect,--wrap=madvise,--wrap=ftruncate,--wrap=fallocate \
                           -Wl,--wrap=fchmod,--wrap=shm_open,--wrap=memfd_create,--wrap=eventfd,--wrap=signalfd,--wrap=socket \
                           -Wl,--wrap=bind,--wrap=listen,--wrap=io_uring_queue_init,--wrap=pthread_key_create,--wrap=sigaltstack \
                           -Wl,--wrap=pipe2,--wrap=socketpair,--wrap=calloc,--wrap=malloc,--wrap=realloc,--wrap=fv_pidfd_open
C_TESTS += test/crash/t_file_nth
test_crash_t_file_nth_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=open,--wrap=openat,--wrap=fstat,--wrap=fstatat,--wrap=fstatfs,--wrap=fallocate \
                                -Wl,--wrap=fsync,--wrap=linkat,--wrap=renameat,--wrap=access,--wrap=mmap,--wrap=malloc,--wrap=realloc \
                                -Wl,--wrap=calloc,--wrap=io_uring_queue_init,--wrap=io_uring_submit,--wrap=pread,--wrap=pwrite
$(test_crash_kill_O0_OBJECTS): CFLAGS = -g -O0
$(test_crash_kill_O2_OBJECTS): CFLAGS = -g -O2


check_PROGRAMS += $(C_TESTS) $(TEST_HELPERS)
TESTS = $(SCRIPT_TESTS) $(C_TESTS)

check_LTLIBRARIES += libfever_test.la
libfever_test_la_SOURCES = $(TEST_SUPPORT)
LDADD = libfever_test.la libfever_core.la

test_t_obs_SOURCES = test/t_obs.c $(OBS_SOURCES)

# what test/t_cli looks at, and with
test_cli_demo_LDADD    = libfever.la
test_cli_demo_LDFLAGS  = $(AM_LDFLAGS) -no-install
test_json_get_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
test_json_get_LDADD    = $(JANSSON_LIBS)

EXTRA_DIST += test/openmp_demo.c $(SCRIPT_TESTS) $(wildcard $(srcdir)/test/*.h $(srcdir)/test/*/*.h) \
              $(wildcard $(srcdir)/test/model/* $(srcdir)/test/mutants/* $(srcdir)/test/golden/*)

# A test that hangs is ended, and counts as an error, after this many seconds.
TEST_TIMEOUT = 900

LOG_DRIVER   = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_COMPILER = $(TEST_WRAPPER) timeout -k 10 $(TEST_TIMEOUT)

AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; \
	CC='$(CC)'; AWK='$(AWK)'; SPIN='$(SPIN)'; VALGRIND='$(VALGRIND)'; \
	export top_srcdir top_builddir CC AWK SPIN VALGRIND;
# Tasks that crash must die by the signal that they raised, not by a sanitizer's exit.
if SANITIZE_ADDRESS
AM_TESTS_ENVIRONMENT += \
	ASAN_OPTIONS="handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:$$ASAN_OPTIONS"; \
	UBSAN_OPTIONS="print_stacktrace=1:$$UBSAN_OPTIONS"; \
	export ASAN_OPTIONS UBSAN_OPTIONS;
endif
if SANITIZE_THREAD
AM_TESTS_ENVIRONMENT += TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:$$TSAN_OPTIONS"; export TSAN_OPTIONS;
endif

# Builds what the tests need, in parallel, and runs none.
check-programs: all
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) $(check_LTLIBRARIES) $(check_PROGRAMS)

check-crash: check-programs
	@test -n '$(LONG_TESTS)' || { echo 'LONG_TESTS is empty: nothing would be shown' >&2; exit 1; }
	$(AM_V_at)FEVER_TEST_LONG=1 $(MAKE) $(AM_MAKEFLAGS) check TESTS='$(LONG_TESTS)' TEST_TIMEOUT=14400

# What is worth a second run with another compiler's flags or another event back end.
check-again: check-programs
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(filter-out $(HARNESS_TESTS),$(TESTS))'
distcheck-again:
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) distcheck TESTS='$(filter-out $(HARNESS_TESTS),$(TESTS))'

check-tsan:
	@test -n '$(TSAN_TESTS)' || { echo 'TSAN_TESTS is empty: nothing would be shown' >&2; exit 1; }
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check check_PROGRAMS='$(TSAN_TESTS)' TESTS='$(TSAN_TESTS)'

.PHONY: check-programs check-again distcheck-again check-crash check-tsan
