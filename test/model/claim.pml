/*
 * claim.pml - the claim protocol of a task's truth word, for spin.
 *
 * One driver, home of T slots, uses each slot R times: fill, truth = READY, hint into its ring, wake
 * an idle worker; later get and free, or detach.  W workers: take a hint, CAS READY -> RUN, run, CAS
 * RUN -> DONE, ring the waiter.  Any worker may be killed before any of its steps, K times in all;
 * the supervisor then sweeps, rings every bell and starts a new worker in the slot.
 *
 * Shown: no invalid end state (no hang, no leaked slot: the driver ends only when every slot is FREE
 * again), one completion per generation by the one that claimed it, the result stands before DONE,
 * a body starts at most 1 + kills times, a flag once set stays until the slot is free.
 *
 * What one step is.  A CAS loop that keeps flags is one step: only its last round changes anything.
 * A bell is a counter of which only "rung since I read it" matters: one bit, cleared by its owner's
 * read.  The ring's load of a slot and CAS of c_head are one step: a lost round changes nothing.
 * Memory is sequentially consistent; the one fence that matters (M_NO_FENCE) is a mutant.
 *
 * The mutants, -DM_..., must each be found; run-models lists them.
 */
#ifndef T
#define T 1			/* task slots */
#endif
#ifndef R
#define R 2			/* generations of each slot */
#endif
#ifndef W
#define W 2			/* workers, numbered 0 .. W-1 */
#endif
#ifndef K
#define K 1			/* kills */
#endif
#ifndef A
#define A 2			/* attempts before FAIL */
#endif
#define DRV  W			/* the driver's bell */
#define NONE T			/* no hint */

#define FREE  0
#define READY 1
#define RUN   2
#define DONE  3
#define FAIL  4
#define ended(t) (st[t] == DONE || st[t] == FAIL)

/* The truth words.  All of a word's fields change in one step. */
byte st[T];  byte own[T];  byte attempt[T];
bool waits[T];			/* flag WAIT: ring the driver on completion */
bool orphan[T];			/* flag ORPHAN: nobody will get it, free on completion */

bool filled[T];  bool result[T];	/* the rest of the descriptor */

/* The hints. */
chan ring[2] = [2 * T + 2] of { byte };	/* 0 the driver's, 1 the supervisor's */
bool idle[W];
bool bell[W + 1];

/* Ghosts: what the proof counts. */
byte starts[T];  bool completed[T];
byte kills;  byte left;		/* left: kills still to come, chosen at the start */
bool dead[W];
chan pidfd = [W] of { byte };	/* the deaths that are proved, in order */

#define push(r, t) assert(nfull(ring[r])); ring[r]!t

/* STEP: one shared access, before which the worker may be killed. */
#define DIE	:: atomic { left > 0 -> left--; kills++; h = NONE; said = false; f = false; \
			    dead[w] = true; pidfd!w; goto corpse }
#define STEP(...) if :: atomic { true; __VA_ARGS__ } DIE fi /* true: an else inside is then its own */
#define AWAIT(c)  if :: c DIE fi

/* The one transition out of RUN by its owner.  f = ring the driver. */
inline complete() {
#if defined(M_XCHG_DONE)		/* two stores where one CAS should be */
	STEP(f = waits[h]; said = orphan[h]; orphan[h] = false; st[h] = DONE; check_done());
	STEP(if :: said -> free(h); said = false :: else fi);
#elif defined(M_STORE_DONE)		/* flags read, then a plain store of the whole word */
	STEP(f = waits[h]; said = orphan[h]);
	STEP(check_done(); waits[h] = f; orphan[h] = said; said = false;
	     if :: orphan[h] -> free(h) :: else st[h] = DONE fi);
#else
	STEP(assert(st[h] == RUN && own[h] == w); check_done(); f = waits[h];
	     if :: orphan[h] -> free(h) :: else st[h] = DONE fi);
#endif
}
inline check_done() { assert(!completed[h]); completed[h] = true }
inline free(t) {
	st[t] = FREE; own[t] = 0; attempt[t] = 0; waits[t] = false; orphan[t] = false;
	filled[t] = false; result[t] = false; starts[t] = 0; completed[t] = false
}

proctype worker(byte w) {
	byte h = NONE;			/* the hint in hand */
	bool said = false;		/* I have announced that I am idle */
	bool f = false;
look:
	STEP(if :: ring[0]?h :: empty(ring[0]) fi);
	if
	:: h == NONE -> STEP(if :: ring[1]?h :: empty(ring[1]) fi)
	:: else
	fi;
	if
	:: h == NONE && !said ->
		/* Read the bell, announce, look again: in this order.  Announced first, the ring of
		 * a slow waker (for a hint long taken) may take the idle bit and be swallowed by
		 * the read; then no later submit finds a bit to take. */
#if defined(M_BELL_LATE)
		STEP(idle[w] = true);
		STEP(bell[w] = false; said = true);
		goto look
#elif defined(M_IDLE_LATE)
		STEP(bell[w] = false);
		STEP(if :: ring[0]?h :: empty(ring[0]) fi);
		if :: h == NONE -> STEP(if :: ring[1]?h :: empty(ring[1]) fi) :: else fi;
		if :: h != NONE -> goto claim :: else fi;
		STEP(idle[w] = true; said = true);
		goto park
#else
		STEP(bell[w] = false);
		STEP(idle[w] = true; said = true);
		goto look
#endif
	:: h == NONE && said ->
park:
end_park:	AWAIT(bell[w]);		/* FUTEX_WAIT */
		STEP(idle[w] = false; said = false);
		goto look
	:: h != NONE && said -> STEP(idle[w] = false; said = false)
	:: else
	fi;
claim:
#if defined(M_STORE_CLAIM)
	STEP(if :: st[h] == READY -> f = true :: else h = NONE fi);
	if :: h == NONE -> goto look :: else fi;
	STEP(st[h] = RUN; own[h] = w; f = false);
#else
	STEP(if :: st[h] == READY -> st[h] = RUN; own[h] = w
#ifdef M_CLAIM_FLAGS
		   ; waits[h] = false; orphan[h] = false
#endif
		:: else -> h = NONE	/* a stale or doubled hint */
	     fi);
	if :: h == NONE -> goto look :: else fi;
#endif
	STEP(assert(filled[h]); starts[h]++; assert(starts[h] <= 1 + kills));
#ifdef M_DONE_FIRST
	complete(); STEP(result[h] = true);
#else
	STEP(result[h] = true); complete();
#endif
	h = NONE;
	if
	:: f -> STEP(bell[DRV] = true; f = false)
	:: else
	fi;
	goto look;
corpse:
end_corpse:
	!dead[w];			/* the supervisor has started a successor */
	goto look
}

/* ---- driver ---- */
inline wake() {				/* after a push: take one idle bit, ring that bell */
	i = 0;
	do
	:: atomic { i < W && idle[i] -> idle[i] = false }; bell[i] = true; break
	:: atomic { i < W && !idle[i] -> i++ }
	:: i == W -> break
	od
}
inline submit(t) {
	st[t] == FREE;			/* a slot that never comes back is a hang here */
#ifdef M_READY_FIRST
	st[t] = READY; filled[t] = true;
#else
	filled[t] = true; st[t] = READY;
#endif
#ifdef M_NO_FENCE			/* the load of the mask passes the push */
	wake(); push(0, t)
#else
	push(0, t); wake()
#endif
}
inline get(t) {
	do
	:: bell[DRV] = false;
	   atomic {			/* CAS: set WAIT unless it has ended */
		if
		:: ended(t) -> break
		:: else -> waits[t] = true; asked = true
		fi
	   };
	   bell[DRV]			/* FUTEX_WAIT */
	od;
	atomic {
		assert(!asked || waits[t]); asked = false;
		assert(st[t] == FAIL || result[t]);
		free(t)			/* by home: one plain store */
	}
}
inline detach(t) {
	atomic { if :: ended(t) -> free(t) :: else -> orphan[t] = true fi }
}
proctype driver() {
	byte i, r, n;  bool asked;
	for (r : 1 .. R) {
		for (n : 0 .. T - 1) { submit(n) }
		for (n : 0 .. T - 1) { if :: true -> get(n) :: true -> detach(n) fi }
	}
	for (n : 0 .. T - 1) { st[n] == FREE }
}

/* ---- supervisor ---- */
proctype supervisor() {
	byte v, n;  bool known;
end_wait:
	do
	:: pidfd?v;			/* v is dead for certain: sweep */
	   do
	   :: n < T ->
#ifndef M_NO_REQUEUE
		atomic {
			if
			:: st[n] == RUN && own[n] == v ->
				attempt[n]++; own[n] = 0;
#ifdef M_REQUEUE_FLAGS
				waits[n] = false; orphan[n] = false;
#endif
				if
				:: attempt[n] < A -> st[n] = READY
				:: attempt[n] == A && orphan[n] -> free(n)
				:: attempt[n] == A && !orphan[n] -> st[n] = FAIL
				fi
			:: else
			fi
		};
#endif
#ifndef M_NO_REHINT
		atomic { known = ring[0]??[eval(n)] || ring[1]??[eval(n)] };
		atomic { if :: st[n] == READY && !known -> push(1, n) :: else fi; known = false };
#endif
		n++
	   :: n == T -> break
	   od;
	   atomic { idle[v] = false; n = 0 };
#ifndef M_NO_WAKEALL
	   do
	   :: n <= W -> atomic { bell[n] = true; n++ }
	   :: n > W -> break
	   od;
#endif
	   atomic { n = 0; dead[v] = false; v = 0 }	/* start the successor */
	od
}

init {
	atomic {
		byte i;
		select(i : 0 .. K); left = i;
		for (i : 0 .. W - 1) { run worker(i) }
		i = 0;
		run driver(); run supervisor()
	}
}
