# bench/bench.mk: fever-bench, and the peers that it measures beside Fever.
#
# fever-bench runs each repetition in a child of its own.  The OpenMP runtimes, oneTBB and CAF do not mix
# with forks, nor with each other, so each is a program of its own that fever-bench looks for beside
# itself and skips by name when it is not there.  They come in when configure found what they need:
# HAVE_LIBGOMP (LIBGOMP_CC, LIBGOMP_CFLAGS), HAVE_LIBOMP (LIBOMP_CC, LIBOMP_CFLAGS), HAVE_TBB
# (TBB_CFLAGS, TBB_LIBS), HAVE_CAF (CAF_LIBS).

# What every child is made of, Fever's and the peers'.
BENCH_CHILD_SOURCES = bench/bench.h bench/child.c

BENCH_SOURCES = $(BENCH_CHILD_SOURCES) \
                bench/main.c bench/benches.h bench/benches.c \
                bench/series.h bench/series.c bench/report.c bench/plot.c \
                bench/fever_bench.h bench/fever_tasks.c bench/fever_objects.c bench/fever_runtime.c bench/fever_policy.c \
                bench/pool_benches.h bench/mutex_pool.h bench/pthread_pool.c bench/fork_mutex_pool.c \
                bench/fork_pipe_pool.c bench/ck_ring_pool.c bench/plain.c \
                bench/fever_actors.c bench/fever_files.c bench/files.h bench/dd.c

noinst_PROGRAMS += fever-bench
fever_bench_SOURCES  = $(BENCH_SOURCES)
fever_bench_CPPFLAGS = $(AM_CPPFLAGS) -I$(builddir)
fever_bench_LDADD    = libfever.la
fever_bench_LDFLAGS  = $(AM_LDFLAGS) -static

# By hand only, on x86: which copy is the fastest, by size.
EXTRA_PROGRAMS = bench/copy_sizes
bench_copy_sizes_LDADD =

# Every figure names the commit that it was measured on.
bench/fever_bench-report.$(OBJEXT): bench/commit.h
bench/commit.h: FORCE
	$(AM_V_at)$(MKDIR_P) bench && \
	commit=`git -C $(srcdir) describe --always --dirty --exclude='*' 2>/dev/null || echo $(PACKAGE_VERSION)` && \
	echo "#define FEVER_BENCH_COMMIT \"$$commit\"" >$@.new && \
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
FORCE:
CLEANFILES += bench/commit.h

# One source for both OpenMP runtimes, each by the compiler that brings it.
BENCH_OMP_FILES = $(srcdir)/bench/omp.c $(srcdir)/bench/child.c
bench_omp = -std=gnu11 -D_GNU_SOURCE -I$(srcdir) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)

if HAVE_LIBGOMP
BENCH_LIBGOMP = fever-bench-libgomp
fever-bench-libgomp: $(BENCH_OMP_FILES) $(srcdir)/bench/bench.h
	$(AM_V_CCLD)$(LIBGOMP_CC) $(LIBGOMP_CFLAGS) -DBENCH_IMPL='"libgomp"' $(bench_omp) -o $@ $(BENCH_OMP_FILES)
endif
if HAVE_LIBOMP
BENCH_LIBOMP = fever-bench-libomp
fever-bench-libomp: $(BENCH_OMP_FILES) $(srcdir)/bench/bench.h
	$(AM_V_CCLD)$(LIBOMP_CC) $(LIBOMP_CFLAGS) -DBENCH_IMPL='"libomp"' $(bench_omp) -o $@ $(BENCH_OMP_FILES)
endif
if HAVE_TBB
noinst_PROGRAMS += fever-bench-tbb
fever_bench_tbb_SOURCES  = $(BENCH_CHILD_SOURCES) bench/tbb.cc
fever_bench_tbb_CXXFLAGS = $(AM_CXXFLAGS) $(TBB_CFLAGS)
fever_bench_tbb_LDADD    = $(TBB_LIBS)
endif
if HAVE_CAF
noinst_PROGRAMS += fever-bench-caf
fever_bench_caf_SOURCES  = $(BENCH_CHILD_SOURCES) bench/caf.cc
fever_bench_caf_CXXFLAGS = $(AM_CXXFLAGS)
fever_bench_caf_LDADD    = $(CAF_LIBS)
endif

BENCH_PEERS = $(BENCH_LIBGOMP) $(BENCH_LIBOMP)
noinst_DATA = $(BENCH_PEERS)
CLEANFILES += $(BENCH_PEERS)
EXTRA_DIST += bench/omp.c

bench: all
	$(builddir)/fever-bench --peers

.PHONY: bench FORCE
