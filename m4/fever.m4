dnl fever.m4: the checks that configure.ac is written in.

dnl FV_ADD_CFLAGS(VARIABLE, FLAGS): appends those of FLAGS that the C compiler takes without complaint.
AC_DEFUN([FV_ADD_CFLAGS], [
  for fv_flag in $2; do
    AC_MSG_CHECKING([whether $CC takes $fv_flag])
    fv_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $fv_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); $1="$$1 $fv_flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$fv_save_CFLAGS
  done
])

dnl FV_ADD_LDFLAGS(VARIABLE, FLAGS): the same for the linker.
AC_DEFUN([FV_ADD_LDFLAGS], [
  for fv_flag in $2; do
    AC_MSG_CHECKING([whether the linker takes $fv_flag])
    fv_save_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS $fv_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); $1="$$1 $fv_flag"],
      [AC_MSG_RESULT([no])])
    LDFLAGS=$fv_save_LDFLAGS
  done
])

dnl FV_VERSION_SCRIPT(FILE): conditional HAVE_VERSION_SCRIPT, where the linker takes symbol versions.
AC_DEFUN([FV_VERSION_SCRIPT], [
  AC_MSG_CHECKING([whether the linker takes a version script])
  fv_save_LDFLAGS=$LDFLAGS
  LDFLAGS="$LDFLAGS -shared -fPIC -Wl,--version-script=$1"
  AC_LINK_IFELSE([AC_LANG_SOURCE([[int fever_probe(void); int fever_probe(void) { return 0; }]])],
    [fv_version_script=yes], [fv_version_script=no])
  LDFLAGS=$fv_save_LDFLAGS
  AC_MSG_RESULT([$fv_version_script])
  AM_CONDITIONAL([HAVE_VERSION_SCRIPT], [test $fv_version_script = yes])
])

dnl FV_SANITIZERS(LIST): sets SANITIZER_CFLAGS (for compiling and linking), TEST_WRAPPER and the
dnl conditionals SANITIZE_ADDRESS and SANITIZE_THREAD.  The wrapper switches address space
dnl randomisation off where that is allowed: with many random bits the sanitizers' shadow memory of
dnl gcc 13 and earlier collides with it now and then.
AC_DEFUN([FV_SANITIZERS], [
  fv_sanitizers=$1
  SANITIZER_CFLAGS=
  TEST_WRAPPER=
  AS_CASE([$fv_sanitizers],
    [no|""], [fv_sanitizers=none],
    [yes], [AC_MSG_ERROR([say which: --enable-sanitizer=address,undefined or --enable-sanitizer=thread])],
    [SANITIZER_CFLAGS="-fsanitize=$fv_sanitizers -fno-omit-frame-pointer"
     AS_CASE([,$fv_sanitizers,],
       [*,undefined,*], [SANITIZER_CFLAGS="$SANITIZER_CFLAGS -fno-sanitize-recover=undefined"])
     AC_MSG_CHECKING([whether programs build with -fsanitize=$fv_sanitizers])
     fv_save_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS $SANITIZER_CFLAGS"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
       [AC_MSG_RESULT([yes])],
       [AC_MSG_RESULT([no]); AC_MSG_ERROR([the compiler cannot build with -fsanitize=$fv_sanitizers])])
     CFLAGS=$fv_save_CFLAGS
     AS_IF([setarch -R true 2>/dev/null], [TEST_WRAPPER="setarch -R"])
     AC_DEFINE([FV_SANITIZED], [1], [Built with a sanitizer: address space and timings are not those of users.])])
  AC_SUBST([SANITIZER_CFLAGS])
  AC_SUBST([TEST_WRAPPER])
  AM_CONDITIONAL([SANITIZE_ADDRESS], [AS_CASE([,$fv_sanitizers,], [*,address,*], [true], [false])])
  AM_CONDITIONAL([SANITIZE_THREAD], [AS_CASE([,$fv_sanitizers,], [*,thread,*], [true], [false])])
])

dnl FV_PEER_OPENMP(RUNTIME, PREFIX, COMPILERS, FLAG): looks for a compiler whose OpenMP programs run on
dnl RUNTIME, which need not be the compiler of the rest.  Sets PREFIX_CC, PREFIX_CFLAGS, the
dnl conditional HAVE_PREFIX and the text of the summary.
AC_DEFUN([FV_PEER_OPENMP], [
  AC_MSG_CHECKING([for a compiler whose OpenMP runtime is $1])
  fv_peer_$2="not found: skipped in the benchmarks"
  $2_CC=
  $2_CFLAGS="$4"
  AC_LANG_CONFTEST([AC_LANG_PROGRAM([[#include <omp.h>]], [[return omp_get_max_threads() < 1;]])])
  for fv_cc in $3; do
    AS_IF([$fv_cc $$2_CFLAGS conftest.c -o conftest$EXEEXT >&AS_MESSAGE_LOG_FD 2>&1 &&
           grep '$1\.so' conftest$EXEEXT >/dev/null 2>&1],
      [$2_CC=$fv_cc
       fv_peer_$2="built with $fv_cc"
       break])
  done
  rm -f conftest.c conftest$EXEEXT
  AC_MSG_RESULT([${$2_CC:-none}])
  AC_SUBST([$2_CC])
  AC_SUBST([$2_CFLAGS])
  AM_CONDITIONAL([HAVE_$2], [test -n "$$2_CC"])
  AS_IF([test -n "$$2_CC"], [AC_DEFINE([HAVE_PEER_$2], [1], [The benchmarks' peer $1 is built.])])
])

dnl FV_PEER_TBB: oneTBB and a C++17 compiler.  Sets TBB_CFLAGS, TBB_LIBS and the conditional HAVE_TBB.
AC_DEFUN([FV_PEER_TBB], [
  fv_have_tbb=no
  PKG_CHECK_MODULES([TBB], [tbb >= 2021], [fv_have_tbb=yes], [fv_have_tbb=no])
  AS_IF([test $fv_have_tbb = yes], [
    AC_MSG_CHECKING([whether $CXX builds programs on oneTBB])
    AC_LANG_PUSH([C++])
    fv_save_CXXFLAGS=$CXXFLAGS fv_save_LIBS=$LIBS
    CXXFLAGS="$CXXFLAGS -std=c++17 $TBB_CFLAGS"
    LIBS="$TBB_LIBS $LIBS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <tbb/task_group.h>]], [[tbb::task_group g; g.run([] {}); g.wait();]])],
      [], [fv_have_tbb=no])
    CXXFLAGS=$fv_save_CXXFLAGS LIBS=$fv_save_LIBS
    AC_LANG_POP([C++])
    AC_MSG_RESULT([$fv_have_tbb])])
  AS_IF([test $fv_have_tbb = yes],
    [fv_peer_TBB="built with $CXX"
     AC_DEFINE([HAVE_PEER_TBB], [1], [The benchmarks' peer oneTBB is built.])],
    [fv_peer_TBB="not found: skipped in the benchmarks"])
  AM_CONDITIONAL([HAVE_TBB], [test $fv_have_tbb = yes])
])

dnl FV_PEER_CAF: the C++ Actor Framework, 0.17 (later ones name their atoms otherwise).  Sets CAF_LIBS and the conditional HAVE_CAF.
AC_DEFUN([FV_PEER_CAF], [
  AC_MSG_CHECKING([whether $CXX builds programs on CAF])
  AC_LANG_PUSH([C++])
  fv_save_CXXFLAGS=$CXXFLAGS fv_save_LIBS=$LIBS
  CAF_LIBS="-lcaf_core -lpthread"
  CXXFLAGS="$CXXFLAGS -std=c++17"
  LIBS="$CAF_LIBS $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <caf/all.hpp>
using go_a = caf::atom_constant<caf::atom("go")>;]], [[caf::actor_system_config c; caf::actor_system s(c); (void)go_a::value;]])],
    [fv_have_caf=yes], [fv_have_caf=no])
  CXXFLAGS=$fv_save_CXXFLAGS LIBS=$fv_save_LIBS
  AC_LANG_POP([C++])
  AC_MSG_RESULT([$fv_have_caf])
  AS_IF([test $fv_have_caf = yes], [fv_peer_CAF="built with $CXX"], [fv_peer_CAF="not found: skipped in the benchmarks"])
  AC_SUBST([CAF_LIBS])
  AM_CONDITIONAL([HAVE_CAF], [test $fv_have_caf = yes])
])
