# doc/doc.mk: examples, manual pages, and the words.
#
#   EXAMPLES        doc/examples/NAME, built from doc/examples/NAME.c on libfever.la, as users do;
#                   each says so:  doc_examples_NAME_LDADD   = libfever.la
#                                  doc_examples_NAME_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
#   man1, man3, man7   manual pages

# Runs from the build tree as it is, without libtool's wrapper script.
EXAMPLE_LINK_FLAGS = $(AM_LDFLAGS) -no-install

EXAMPLES = doc/examples/influenza doc/examples/hello doc/examples/nested doc/examples/objects \
           doc/examples/cancel doc/examples/errors doc/examples/groups doc/examples/options doc/examples/stream \
           doc/examples/parts doc/examples/prints doc/examples/actors doc/examples/spill

doc_examples_influenza_SOURCES = doc/examples/influenza.c doc/examples/influenza_plot.c doc/examples/influenza_plot.h \
                                 doc/examples/oldsolver.c doc/examples/oldsolver.h
doc_examples_influenza_LDADD   = libfever.la -lm
doc_examples_influenza_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_hello_LDADD   = libfever.la
doc_examples_spill_LDADD   = libfever.la
doc_examples_spill_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_actors_LDADD   = libfever.la -lm
doc_examples_actors_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_hello_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_nested_LDADD   = libfever.la
doc_examples_nested_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_objects_LDADD   = libfever.la -lm
doc_examples_objects_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_errors_LDADD   = libfever.la
doc_examples_errors_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_groups_LDADD   = libfever.la
doc_examples_groups_LDFLAGS = $(EXAMPLE_LINK_FLAGS)

doc_examples_options_LDADD   = libfever.la
doc_examples_options_LDFLAGS = $(EXAMPLE_LINK_FLAGS)

doc_examples_prints_LDADD   = libfever.la
doc_examples_prints_LDFLAGS = $(EXAMPLE_LINK_FLAGS)

doc_examples_stream_LDADD   = libfever.la
doc_examples_stream_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_cancel_LDADD   = libfever.la
doc_examples_cancel_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
doc_examples_parts_LDADD   = libfever.la
doc_examples_parts_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
EXAMPLES += doc/examples/nodes
doc_examples_nodes_LDADD   = libfever.la
doc_examples_nodes_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
EXAMPLES += doc/examples/resources
doc_examples_resources_LDADD   = libfever.la
doc_examples_resources_LDFLAGS = $(EXAMPLE_LINK_FLAGS)

EXAMPLES += doc/examples/pool
doc_examples_pool_LDADD   = libfever.la -lm
doc_examples_pool_LDFLAGS = $(EXAMPLE_LINK_FLAGS)

EXAMPLES += doc/examples/files
doc_examples_files_LDADD   = libfever.la
doc_examples_files_LDFLAGS = $(EXAMPLE_LINK_FLAGS)
EXAMPLES += doc/examples/arrays
doc_examples_arrays_LDADD   = libfever.la
doc_examples_arrays_LDFLAGS = $(EXAMPLE_LINK_FLAGS)

noinst_PROGRAMS += $(EXAMPLES)

# Section 3 is generated from the comments of include/*.h and kept: after a change of these run
# make man-pages.  test/check-man compares.
dist_man1_MANS = $(wildcard $(srcdir)/doc/man1/*.1)
dist_man3_MANS = $(wildcard $(srcdir)/doc/man3/*.3)
dist_man7_MANS = $(wildcard $(srcdir)/doc/man7/*.7)

man-pages:
	rm -f $(srcdir)/doc/man3/*.3
	AWK='$(AWK)' $(srcdir)/doc/gen-man $(srcdir)/doc/man3 $(srcdir)/include/*.h

.PHONY: man-pages
EXTRA_DIST += doc/gen-man

EXTRA_DIST += $(wildcard $(srcdir)/doc/*.md $(srcdir)/doc/*.svg) \
              $(wildcard $(srcdir)/doc/examples/*.[ch] $(srcdir)/doc/examples/*.md) \
              $(wildcard $(srcdir)/doc/examples/*.yaml $(srcdir)/doc/examples/*.csv)
