# src/sources.mk: the library and the command line, a list per layer, lowest first.
# Internal headers need no entry: all of src/ get into the tarball.

BASE_SOURCES = src/base/base.c src/base/checksum.c src/base/error.c src/base/log.c src/base/options.c src/base/resources.c src/base/words.c
BASE_SOURCES += src/base/label.c src/base/nodes.c
PLAT_SOURCES = src/plat/backtrace.c src/plat/cgroup.c src/plat/fileio.c src/plat/futex.c src/plat/limits.c src/plat/machine.c \
               src/plat/diskfile.c src/plat/module.c src/plat/process.c src/plat/shmfile.c src/plat/symbol.c src/plat/topo.c
POLICY_SOURCES = src/policy/dispatch.c src/policy/memory.c
SHM_SOURCES  = src/shm/arena.c src/shm/bell.c src/shm/extent.c src/shm/mapped.c src/shm/segment.c
CORE_SOURCES = src/core/delay.c src/core/group.c src/core/hold.c src/core/options.c src/core/stream.c \
               src/core/sweep.c src/core/task.c src/core/validate.c
CORE_SOURCES += src/core/attempt.c src/core/failure.c src/core/home.c
RUN_SOURCES  = src/run/control.c src/run/event.c src/run/event_poll.c src/run/event_uring.c \
               src/run/execute.c src/run/logger.c src/run/memory.c src/run/output.c src/run/setting.c \
               src/run/spare.c src/run/supervisor.c src/run/tidy.c src/run/warm.c src/run/worker.c
# actors that are known by a name
CORE_SOURCES += src/core/name.c
# tasks that start by a grant
CORE_SOURCES += src/core/placement.c src/core/queued.c
RUN_SOURCES  += src/run/cpus.c src/run/dispatcher.c src/run/host.c src/run/pending.c
API_SOURCES  = src/api/get.c src/api/init.c src/api/map.c src/api/object.c src/api/part.c src/api/report.c src/api/result.c \
               src/api/stream.c src/api/submit.c
CORE_SOURCES += src/core/cancel.c
CORE_SOURCES += src/core/store.c
RUN_SOURCES += src/run/restore.c src/run/sleep.c
API_SOURCES += src/api/cancel.c
# files
API_SOURCES += src/api/file.c src/api/load.c src/api/save.c
# objects that go to disk and come back
POLICY_SOURCES += src/policy/evict.c
RUN_SOURCES += src/run/full.c src/run/keeper.c src/run/keeper_host.c src/run/room.c src/run/source.c src/run/spillfile.c
# nodes: what to launch and to drain
POLICY_SOURCES += src/policy/place.c
POLICY_SOURCES += src/policy/gang.c src/policy/pack.c src/policy/plan.c src/policy/scale.c src/policy/scale_words.c
# where each process is now
PLAT_SOURCES += src/plat/stack.c
OBS_SOURCES  = src/obs/find.c src/obs/read.c
CLI_SOURCES  = src/cli/attach.c src/cli/detail.c src/cli/help.c src/cli/list.c src/cli/main.c src/cli/options.c \
               src/cli/process.c src/cli/status.c src/cli/table.c src/cli/task.c
CLI_SOURCES += src/cli/node.c src/cli/resources.c src/cli/actor.c src/cli/stack.c src/cli/metrics.c

# objects with a name, a shape, metadata
CORE_SOURCES += src/core/object.c
API_SOURCES += src/api/array.c src/api/fault.c src/api/leak.c
OBS_SOURCES += src/obs/holds.c src/obs/site.c
CLI_SOURCES += src/cli/memory.c

# the end
RUN_SOURCES += src/run/descendants.c
# nodes
API_SOURCES += src/api/cluster.c
# actors
CORE_SOURCES += src/core/actor.c
CORE_SOURCES += src/core/deadlock.c
RUN_SOURCES += src/run/actor.c src/run/actor_host.c
API_SOURCES += src/api/actor.c src/api/pool.c

# a cluster in virtual time
SIM_SOURCES = src/sim/cluster.c src/sim/sim.c src/sim/workload.c
CLI_SOURCES += src/cli/simulate.c src/cli/simulate_svg.c

include_HEADERS += include/fever.h include/fever_actor.h include/fever_define.h include/fever_file.h include/fever_group.h include/fever_object.h include/fever_pool.h include/fever_stream.h

# All of the library with its hidden symbols in sight: for the tests and for the fever command.
noinst_LTLIBRARIES += libfever_core.la
libfever_core_la_SOURCES = $(BASE_SOURCES) $(PLAT_SOURCES) $(SHM_SOURCES) $(POLICY_SOURCES) $(CORE_SOURCES) \
                           $(RUN_SOURCES) $(API_SOURCES)
libfever_core_la_CPPFLAGS = $(AM_CPPFLAGS) -DFEVER_INTERNAL
libfever_core_la_LIBADD  = $(LIBURING_LIBS) $(HWLOC_LIBS) $(LIBUNWIND_LIBS) $(LIBDW_LIBS) -lm

# The library that users link; only the names in libfever.map leave it.
lib_LTLIBRARIES += libfever.la
libfever_la_SOURCES =
libfever_la_LIBADD  = libfever_core.la
libfever_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(FEVER_LT_VERSION)
if HAVE_VERSION_SCRIPT
libfever_la_LDFLAGS += -Wl,--version-script=$(srcdir)/src/libfever.map
EXTRA_libfever_la_DEPENDENCIES = src/libfever.map
endif
EXTRA_DIST += src/libfever.map $(wildcard $(srcdir)/src/*/*.h)

# The command line takes from the library's archive only what it reads the segment with.
bin_PROGRAMS += fever
fever_SOURCES  = $(OBS_SOURCES) $(SIM_SOURCES) $(CLI_SOURCES)
fever_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(YAML_CFLAGS) -DFEVER_INTERNAL
fever_LDADD    = libfever_core.la $(JANSSON_LIBS) $(YAML_LIBS) -lm
