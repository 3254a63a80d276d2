/*
 * depend.pml - tasks that wait for another task, for spin.
 *
 * The worker that claims a task with a dependency that has not ended pushes the task's node on the
 * dependency's list, CASes RUN -> BLOCKED and looks at the dependency again.  Who completes a task
 * that has the flag DEPS takes its list and CASes BLOCKED -> READY for each node.  The list is a
 * hint; after a death the supervisor flips from the truth words alone.
 *
 * The nodes lie in the task slots, so a slot must not be used again while somebody may still walk
 * over its list or its node.  That is what DEPS and PUSHED say, both flags of the truth word:
 *   DEPS    set by CAS by who registers, never on an ended task; the completion CAS returns it;
 *           cleared by CAS by the completer when it is through with the list.
 *   PUSHED  of the waiting task, set by CAS before its push, so once a generation.
 *   usable  FREE, not DEPS, and not PUSHED on a list that somebody may still walk.
 *
 * N slots, S submissions by a driver that picks the dependencies and the order of submit and free
 * at random, W workers, K kills before any step.  Waking is left to claim.pml: here a worker waits
 * for any hint.  Hints are a bag: taken in any order, so all rings and stealing are covered.
 *
 * Shown: no invalid end state (the driver ends only when every slot is usable again: nothing lost,
 * nothing leaked), a body starts only after its dependency ended, the claimer alone completes it,
 * a node is on one list only, a list gets nodes of its own generation only.
 */
#ifndef N
#define N 3			/* task slots */
#endif
#ifndef S
#define S 4			/* submissions */
#endif
#ifndef W
#define W 2
#endif
#ifndef K
#define K 1
#endif
#define NIL N			/* no task */

#define FREE    0
#define READY   1
#define RUN     2
#define BLOCKED 3
#define DONE    4
#define FAIL    5

/* The truth words. */
byte st[N];  byte own[N];  byte gen[N];
bool deps[N];  bool pushed[N];

/* The rest of the descriptor: written while FREE (dep, depgen), and the list (head, next). */
byte dep[N];  byte depgen[N];
byte head[N];  byte next[N];

bool hint[N];
byte left;  bool dead[W];
chan pidfd = [W] of { byte };

#define over(d, g)   (gen[d] != (g) || st[d] == FREE || st[d] == DONE || st[d] == FAIL)
#define live(t)      (st[t] == READY || st[t] == RUN || st[t] == BLOCKED)
#define waiting(t)   (dep[t] != NIL && !over(dep[t], depgen[t]))
#define walked(d, g) (gen[d] != (g) || (over(d, g) && !deps[d]))

#ifdef M_REUSE_LIST
#define list_idle(t) true
#else
#define list_idle(t) (!deps[t])
#endif
#ifdef M_REUSE_NODE
#define node_idle(t) true
#else
#define node_idle(t) (!pushed[t] || walked(dep[t], depgen[t]))
#endif
#define usable(t) (st[t] == FREE && list_idle(t) && node_idle(t))

#define DIE	:: atomic { left > 0 -> left--; t = NIL; d = NIL; c = NIL; n = NIL; g = 0; dg = 0; \
			    f = false; dead[w] = true; pidfd!w; goto corpse }
#define STEP(...) if :: atomic { true; __VA_ARGS__ } DIE fi /* true: an else inside is then its own */
#define TAKE(x) :: atomic { hint[x] -> hint[x] = false; t = x }

proctype worker(byte w) {
	byte t = NIL, g, d = NIL, dg;	/* the task claimed, its dependency, their generations */
	byte c = NIL, n = NIL;		/* the node under the walk, and its next */
	bool f;
look:
end_idle:
	if
	TAKE(0)
	TAKE(1)
#if N > 2
	TAKE(2)
#endif
#if N > 3
	TAKE(3)
#endif
	DIE
	fi;
	STEP(if :: st[t] == READY -> st[t] = RUN; own[t] = w; g = gen[t];
				     d = dep[t]; dg = depgen[t]
#ifdef M_CLAIM_FLAGS
				     ; deps[t] = false
#endif
		:: else -> t = NIL
	     fi);
	if :: t == NIL -> goto look :: t != NIL && d == NIL -> goto body :: else fi;

	/* register: DEPS on the dependency, unless it has ended */
#ifdef M_NO_DEPS			/* every completer takes its list, and nothing says when */
	STEP(if :: over(d, dg) -> d = NIL :: else fi);
#else
	STEP(if :: over(d, dg) -> d = NIL :: else -> deps[d] = true fi);
#endif
	if :: d == NIL -> goto body :: else fi;
	/* PUSHED on the task: a node that is on the list already stays there */
	STEP(f = pushed[t]; pushed[t] = true);
#ifdef M_PUSH_AGAIN
	f = false;
#endif
	do
	:: f -> f = false; break
	:: !f ->
		STEP(n = head[d]; next[t] = n);
		STEP(if
		     :: head[d] == n ->
			assert(gen[d] == dg && n != t); head[d] = t; f = true
		     :: else
		     fi; n = NIL)
	od;
	STEP(assert(st[t] == RUN && own[t] == w && gen[t] == g); st[t] = BLOCKED);
#ifndef M_NO_RECHECK
	STEP(f = over(d, dg));
	if
	:: f -> STEP(f = (st[t] == BLOCKED && gen[t] == g); if :: f -> st[t] = READY :: else fi)
	:: else
	fi;
	if :: f -> STEP(hint[t] = true; f = false) :: else fi;
#endif
	goto drop;

body:	STEP(assert(!waiting(t) && (dep[t] == NIL || gen[dep[t]] == depgen[t])));
	STEP(assert(st[t] == RUN && own[t] == w && gen[t] == g); st[t] = DONE; f = deps[t]);
#ifdef M_NO_DEPS
	f = true;
#endif
	if
	:: f -> STEP(c = head[t]; head[t] = NIL; f = false);
		do
		:: c != NIL ->
			STEP(n = next[c]);
			STEP(f = (st[c] == BLOCKED); if :: f -> st[c] = READY :: else fi);
			if :: f -> STEP(hint[c] = true; f = false) :: else fi;
			atomic { c = n; n = NIL }
		:: c == NIL -> break
		od;
		STEP(deps[t] = false)	/* through with the list: the slot may be used again */
	:: else
	fi;
drop:	atomic { t = NIL; d = NIL; g = 0; dg = 0 };
	goto look;
corpse:
end_corpse:
	!dead[w];
	goto look
}

/* ---- driver ---- */
/* A waiting task holds a ref on its dependency: free only when all that waited have ended. */
#define holds(x, t) (live(x) && dep[x] == t && depgen[x] == gen[t])
#if N == 2
#define held(t) (holds(0, t) || holds(1, t))
#elif N == 3
#define held(t) (holds(0, t) || holds(1, t) || holds(2, t))
#else
#define held(t) (holds(0, t) || holds(1, t) || holds(2, t) || holds(3, t))
#endif

inline submit(t, on) {
	st[t] = READY; gen[t]++; deps[t] = false; pushed[t] = false; head[t] = NIL;
	dep[t] = on; depgen[t] = (on == NIL -> 0 : gen[on]); hint[t] = true
}
/* Slots that were never used are taken in order: another order is the same by symmetry. */
#define pick(t) (i < S && usable(t) && (gen[t] > 0 || t == 0 || gen[t - (t > 0)] > 0))
#define SUBMIT(t, on) :: atomic { pick(t) && t != on && st[on] != FREE -> submit(t, on); i++ }
#ifdef CANCEL				/* a task that others wait for is cancelled by its claimer only */
#define CANCELS(t)    :: atomic { (st[t] == READY || st[t] == BLOCKED) && !deps[t] -> st[t] = FAIL }
#else
#define CANCELS(t)
#endif
#define ALONE(t)      :: atomic { pick(t) -> submit(t, NIL); i++ }
#define RELEASE(t)    :: atomic { (st[t] == DONE || st[t] == FAIL) && !held(t) -> st[t] = FREE }

proctype driver() {
	byte i;
	do
	CANCELS(0) CANCELS(1) ALONE(0) ALONE(1) RELEASE(0) RELEASE(1) SUBMIT(0, 1) SUBMIT(1, 0)
#if N > 2
	CANCELS(2) ALONE(2) RELEASE(2) SUBMIT(0, 2) SUBMIT(1, 2) SUBMIT(2, 0) SUBMIT(2, 1)
#endif
#if N > 3
	CANCELS(3) ALONE(3) RELEASE(3) SUBMIT(0, 3) SUBMIT(1, 3) SUBMIT(2, 3) SUBMIT(3, 0) SUBMIT(3, 1) SUBMIT(3, 2)
#endif
	:: i == S -> break
	od;
	for (i : 0 .. N - 1) {		/* all come back, in whatever order */
		do
		:: usable(i) -> break
		RELEASE(0) RELEASE(1)
#if N > 2
		RELEASE(2)
#endif
#if N > 3
		RELEASE(3)
#endif
		od
	}
}

/* ---- supervisor ---- */
inline sweep_blocked(t) {
#ifndef M_SWEEP_BLOCKED
	atomic { if :: st[t] == BLOCKED && !waiting(t) -> st[t] = READY :: else fi };
#endif
	atomic { if :: st[t] == READY -> hint[t] = true :: else fi }
}
proctype supervisor() {
	byte v, t, c = NIL;  bool keep;
end_wait:
	do
	:: pidfd?v; t = 0;
	   /* 1: what the dead ran.  Killed while it registered: is the node on the list?  Nodes on the
	    * list of a task that has not ended stay; once it has ended, PUSHED is no longer asked. */
	   do
	   :: t < N ->
		if
		:: st[t] == RUN && own[t] == v ->
			keep = true;
			if
			:: pushed[t] && waiting(t) ->
				c = head[dep[t]];
				do
				:: c == NIL || c == t || !waiting(t) -> break
				:: else -> c = next[c]
				od;
				atomic { keep = (c == t || !waiting(t)); c = NIL }
			:: else
			fi;
#if defined(M_KEEP_PUSHED)
			keep = true;
#elif defined(M_CLEAR_PUSHED)
			keep = false;
#endif
			atomic {	/* with attempts left, or not: any */
				pushed[t] = pushed[t] && keep; keep = false;
				if :: true -> st[t] = READY :: true -> st[t] = FAIL fi
			}
		:: else
		fi;
#ifdef M_ONE_PASS
		sweep_blocked(t);
#endif
		t++
	   :: t == N -> break
	   od;
	   /* 2: all that wait for a task that has ended; READY gets a hint */
#ifndef M_ONE_PASS
	   for (t : 0 .. N - 1) { sweep_blocked(t) }
#endif
	   /* 3: the lists that the dead would have walked, now empty in truth */
#ifndef M_SWEEP_DEPS
	   for (t : 0 .. N - 1) {
		atomic { if :: deps[t] && !live(t) && own[t] == v -> deps[t] = false :: else fi }
	   }
#endif
	   atomic { t = 0; dead[v] = false; v = 0 }
	od
}

init {
	atomic {
		byte i;
		for (i : 0 .. N - 1) { dep[i] = NIL; head[i] = NIL; next[i] = NIL }
		select(i : 0 .. K); left = i;
		for (i : 0 .. W - 1) { run worker(i) }
		i = 0;
		run driver(); run supervisor()
	}
}
