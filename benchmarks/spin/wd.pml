/* WD(L, K, VARIANT, RETRIGGER), the reference model of scenarios/wd/model.py, in Promela.
 *
 *   spin -a -DL=2 -DK=1 -DVARIANT=0 -DRETRIGGER=0 wd.pml        VARIANT 0 stalling, 1 progressive, 2 claiming
 *
 * Encoding: batch[b] is one bit in at most one of pend / disp / done (none: ABSENT); sent[b] is a bit in sent1
 * (>= 1) and in sent2 (>= 2); S is a bit set.  Same states as the arrays of the model, a smaller vector, and
 * "number of PENDING batches" or "ascending" are one machine operation.
 *
 * Every [a] line is exactly one transition: a d_step, or one expression.  A process never dies: it stays blocked in a
 * state labelled end, so that there are no bookkeeping states.  Dead locals are reset in the step that kills them.
 *
 * STRANDED needs no monitor: a batch is PENDING at quiescence iff its completion still waits then, so the state
 * `wait` is simply not labelled end, and STRANDED is Spin's own "invalid end state".
 * DOUBLE is the assertion in MARK.
 */
#ifndef L
#define L 2
#endif
#ifndef K
#define K 1
#endif
#ifndef VARIANT
#define VARIANT 0
#endif
#ifndef RETRIGGER
#define RETRIGGER 0
#endif
#define N (L*K)

#if (L*K) <= 8
#define SET byte
#else
#define SET int
#endif

#define LOW     (S & -S)                /* the smallest element of S, as a bit */
#define REST    (S & (S-1))             /* S without it */
#define PUT(b)  pend = pend | (1 << (b))

#define MARK    sent2 = sent2 | (sent1 & LOW); sent1 = sent1 | LOW; \
                pend = pend & ~LOW; done = done & ~LOW; disp = disp | LOW; \
                assert(sent2 == 0)
#if VARIANT == 2
#define VISIT   if :: (pend & LOW) -> MARK :: else fi
#else
#define VISIT   MARK
#endif

#if VARIANT == 0
#define STALE   a_of_disp
#define PLINE
#else
#define STALE   p_of_pend
#define PLINE   p_of_pend: if :: (pend != 0) -> goto take :: (pend == 0) -> goto a_of_disp fi;
#endif

/* RET is what returning adds to the last step of dispatch(); OUT is where the process goes on. */
#define DISPATCH(RET, OUT) \
        if :: (wave == PENDING) -> goto cas :: (wave != PENDING) -> goto STALE fi; \
        PLINE \
a_of_disp: \
        if :: d_step { (disp != 0) -> RET } goto OUT :: (disp == 0) -> goto demote fi; \
demote: wave = PENDING; \
cas:    if :: d_step { (wave == PENDING) -> wave = PROCESSING } goto take \
           :: d_step { (wave != PENDING) -> RET } goto OUT \
        fi; \
take:   if :: d_step { (pend != 0) -> S = pend } goto visit :: d_step { (pend == 0) -> RET } goto OUT fi; \
visit:  if :: d_step { (REST != 0) -> VISIT; S = REST } goto visit \
           :: d_step { (REST == 0) -> VISIT; S = 0; RET } goto OUT \
        fi

#define PENDING    0
#define PROCESSING 1
bit wave;
SET pend, disp, done, sent1, sent2;

active [L] proctype Listener()
{       byte k; SET S;
end:    if :: d_step { (k < K) -> PUT(_pid * K + k) } fi;    /* k == K: blocked here for good */
        DISPATCH(k++, end)
}

active [N] proctype Completion()
{
#if RETRIGGER
        SET S;
#endif
        d_step { (disp & (1 << (_pid - L))) -> disp = disp & ~(1 << (_pid - L)); done = done | (1 << (_pid - L)) }
#if RETRIGGER
        DISPATCH(skip, end);
#endif
end:    (false)
}
