"""The statements of the outbox lanes. One rests on another: who may hold a row, and how others can tell.

`next_at` is when somebody looks at an open row again: when it is due, or, of a sent one, when its lease ends. `claims`
counts how often a row was taken up and is never set back: a worker that was taken for dead is told by it.

Every statement names the states it means: what is settled lies in other partitions, which are not looked at then. One
that has its rows by their keys names `parked` beside them, also where it cannot be that or is excluded again: the index
of what is due does not cover it, and so is not read from end to end by a planner that takes the lanes for empty.
"""

from sqlalchemy import text

from storage.rows import journal
from storage.stages import GIVING

# Only the head of a lane can be taken: nothing unfinished stands before it. A lease that ran out after the message had
# gone to the journal leaves a doubt: it may have been sent. What was tried already is left alone where retry is off.
#
# OFFSET 0 and the arrays are for the planner. It takes a limit it does not know for a tenth of the table, and would
# read and sort all that waits; this way it goes along the index, asks for each row by itself, and expects few of them.
# What is due at the same instant comes in any order: sorting it would cost every claim all that an outage left behind.
_DUE = """
wanted AS (
  SELECT w.system, w.places, w.lease, coalesce(r.off, false) AS no_retry
    FROM unnest(CAST(:systems AS text[]), CAST(:places AS int[]), CAST(:leases AS timestamptz[]))
      AS w(system, places, lease)
    LEFT JOIN switch s ON s.system = w.system AND s.what = 'sending'
    LEFT JOIN switch r ON r.system = w.system AND r.what = 'retry'
   WHERE NOT coalesce(s.off, false)),
due AS (
  SELECT h.*, w.lease FROM wanted w CROSS JOIN LATERAL (
    SELECT {columns}, d.next_at, d.state = 'sent' AND d.message_id IS NOT NULL AS lost FROM delivery d
     WHERE d.system = w.system AND d.next_at <= :now AND d.state IN ('pending', 'in_doubt', 'sent')
       AND NOT (w.no_retry AND d.attempts > 0)
       AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.case_id = d.case_id AND e.system = d.system AND e.seq < d.seq
                        AND e.state IN ('pending', 'in_doubt', 'sent', 'refused', 'parked') OFFSET 0)
     ORDER BY d.next_at LIMIT w.places FOR UPDATE OF d SKIP LOCKED) h)
"""
_FEW = """
  FROM unnest(ARRAY(SELECT id FROM due), ARRAY(SELECT lost FROM due), ARRAY(SELECT lease FROM due),
              ARRAY(SELECT next_at FROM due)) AS few(id, lost, lease, due_at)
 WHERE d.id = few.id AND d.state IN ('pending', 'in_doubt', 'sent', 'parked')
"""
_TAKEN = f"""
UPDATE delivery d SET state = 'sent', next_at = few.lease, attempts = d.attempts + 1, claims = d.claims + 1,
       since = coalesce(d.since, :now), message_id = NULL, in_doubt = d.in_doubt OR few.lost
{_FEW}
RETURNING d.id, d.case_id, d.system, d.seq, d.event_seq, d.message, d.address, d.attempts, d.claims, d.in_doubt,
          d.created_at, d.since, d.sent_at, d.replays, d.edition, few.due_at
"""  # noqa: S608 nothing in it comes from outside
TAKE = text(f"WITH {_DUE.format(columns='d.id')} {_TAKEN}")

# Of a delivery `w`.
_CONTENT = f"""CAST(c.state AS text), CAST(e.body AS text),
       (SELECT count(*) FROM event f WHERE f.case_id = e.case_id AND f.seq <= e.seq
           AND f.action IN ({GIVING})),
       ARRAY(SELECT CAST(b.body AS text)
               FROM (SELECT system, external_id, body FROM binding WHERE case_id = w.case_id OFFSET 0) b
              WHERE b.system = w.system ORDER BY b.external_id),
       (SELECT CAST(b.body AS text) FROM binding b
         WHERE w.address <> '' AND b.system = w.system AND b.external_id = w.address)"""  # noqa: S608 words of our own
_WHERE_IT_LIES = """CROSS JOIN LATERAL (SELECT state FROM cases WHERE id = w.case_id OFFSET 0) c
  CROSS JOIN LATERAL (
    SELECT case_id, seq, body FROM event WHERE case_id = w.case_id AND seq = w.event_seq OFFSET 0) e"""

# Whoever has the heads locked writes their messages, and changes the rows once, when they leave. What is returned comes
# out of the locked rows themselves, as a change since the beginning of the statement has left them.
_HEADS = """d.id, d.case_id, d.system, d.seq, d.event_seq, d.message, d.address, d.attempts + 1 AS attempts,
           d.claims + 1 AS claims, d.in_doubt, d.created_at, coalesce(d.since, :now) AS since, d.sent_at, d.replays,
           d.edition"""
HEADS = text(f"""
WITH {_DUE.format(columns=_HEADS)}
SELECT w.id, w.case_id, w.system, w.seq, w.event_seq, w.message, w.address, w.attempts, w.claims, w.in_doubt OR w.lost,
       w.created_at, w.since, w.sent_at, w.replays, w.edition, w.next_at,
       {_CONTENT}
  FROM due w
  {_WHERE_IT_LIES}
""")  # noqa: S608 nothing in it comes from outside

# A ticket for whoever takes it up: the row stays as it is, and is offered again if nobody did until then.
OFFER = text(f"""
WITH {_DUE.format(columns="d.id")}
UPDATE delivery d SET next_at = few.lease, in_doubt = d.in_doubt OR few.lost,
       state = CASE WHEN d.in_doubt OR few.lost THEN 'in_doubt' ELSE 'pending' END
{_FEW}
RETURNING d.id, d.system, d.claims
""")  # noqa: S608 nothing in it comes from outside
# The number of claims tells a ticket that is still good from one that came twice or too late.
TAKE_OFFERED = text(f"""
WITH due AS (
  SELECT d.id, false AS lost, d.next_at, CAST(:lease AS timestamptz) AS lease FROM delivery d
    JOIN unnest(CAST(:ids AS uuid[]), CAST(:claims AS int[])) AS w(id, claims) ON d.id = w.id AND d.claims = w.claims
   WHERE d.state IN ('pending', 'in_doubt', 'parked') AND d.state || '' IN ('pending', 'in_doubt')
     AND NOT EXISTS (SELECT 1 FROM switch s WHERE s.system = d.system AND s.off
                      AND (s.what = 'sending' OR (s.what = 'retry' AND d.attempts > 0)))
     AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.case_id = d.case_id AND e.system = d.system AND e.seq < d.seq
                      AND e.state IN ('pending', 'in_doubt', 'sent', 'refused', 'parked'))
   FOR UPDATE OF d SKIP LOCKED)
{_TAKEN}
""")  # noqa: S608 nothing in it comes from outside

# What the messages need: one row a delivery, its case, its event, how many rounds the event knew of, the system's ids
# of the case, and the one that it is addressed to, which may follow another case since.
LOAD = text(f"""
SELECT w.n, {_CONTENT}
  FROM unnest(CAST(:ns AS int[]), CAST(:ids AS uuid[]), CAST(:seqs AS int[]), CAST(:systems AS text[]),
              CAST(:addresses AS text[])) AS w(n, case_id, event_seq, system, address)
  {_WHERE_IT_LIES} ORDER BY w.n
""")  # noqa: S608 nothing in it comes from outside

# What leaves goes to the journal with it, and what may not leave does not.
_NOT_OFF = "NOT EXISTS (SELECT 1 FROM switch s WHERE s.system = d.system AND s.what = 'sending' AND s.off)"
_JOURNALLED = f", kept AS ({journal(only='gone')}) SELECT id FROM gone"  # noqa: S608
SENDING = text(f"""
WITH gone AS (
  UPDATE delivery d SET message_id = w.m, next_at = coalesce(w.l, d.next_at), sent_at = coalesce(w.s, d.sent_at)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:messages AS uuid[]), CAST(:claims AS int[]), CAST(:leases AS timestamptz[]),
                CAST(:sent_ats AS timestamptz[])) AS w(i, m, c, l, s)
   WHERE d.id = w.i AND d.state IN ('sent', 'parked') AND d.state || '' = 'sent' AND d.claims = w.c AND {_NOT_OFF}
  RETURNING d.id)
{_JOURNALLED}""")  # noqa: S608 nothing in it comes from outside
# Of heads that are locked: those with a message leave, the others are merely taken up.
DEPART = text(f"""
WITH gone AS (
  UPDATE delivery d SET state = 'sent', message_id = w.m, next_at = w.l, sent_at = coalesce(w.s, d.sent_at),
         attempts = d.attempts + 1, claims = d.claims + 1, since = coalesce(d.since, :now), in_doubt = w.d
    FROM unnest(CAST(:ids AS uuid[]), CAST(:messages AS uuid[]), CAST(:leases AS timestamptz[]),
                CAST(:sent_ats AS timestamptz[]), CAST(:doubts AS boolean[])) AS w(i, m, l, s, d)
   WHERE d.id = w.i AND d.state IN ('pending', 'in_doubt', 'sent', 'parked') AND {_NOT_OFF}
  RETURNING d.id)
{_JOURNALLED}""")  # noqa: S608 nothing in it comes from outside
STILL_OURS = text(
    "UPDATE delivery SET next_at = :lease WHERE id = :id AND state = 'sent' AND claims = :claims RETURNING id"
)

# Taken is taken, whoever sent it and whatever was thought of it meanwhile. A worker that was taken for dead must not
# put back or park what another holds now. What waits behind one that failed need not be looked at before it; behind one
# that is done it is due.
SETTLE = text(f"""
WITH ended AS (
  SELECT * FROM unnest(
    CAST(:ids AS uuid[]), CAST(:claims AS int[]), CAST(:states AS text[]), CAST(:ats AS timestamptz[]),
    CAST(:done_ats AS timestamptz[]), CAST(:whys AS text[]), CAST(:texts AS text[]), CAST(:in_doubts AS boolean[]),
    CAST(:untrieds AS int[]), CAST(:behinds AS timestamptz[]))
    AS w(id, claims, state, at, done_at, why, text, in_doubt, untried, behind)),
settled AS (
  UPDATE delivery d SET state = w.state, next_at = w.at, done_at = w.done_at, why = w.why, text = w.text,
         in_doubt = w.in_doubt, attempts = d.attempts - w.untried
    FROM ended w
   WHERE d.id = w.id AND d.state IN ('pending', 'in_doubt', 'sent', 'parked') AND (
     (d.state = 'sent' AND d.claims = w.claims)
     OR (w.state = 'acknowledged'
         AND (d.state IN ('pending', 'in_doubt', 'sent') OR (d.state = 'parked' AND d.in_doubt))))
  RETURNING d.case_id, d.system, d.seq, w.state, w.behind),
behind AS (
  UPDATE delivery f SET next_at = coalesce(s.behind, 'infinity') FROM settled s
   WHERE f.case_id = s.case_id AND f.system = s.system AND f.seq > s.seq
     AND f.state IN ('pending', 'parked') AND f.state || '' = 'pending'
     AND (s.state <> 'acknowledged' OR f.next_at > s.behind)),
verdict AS (
  UPDATE message m SET verdict = w.v, text = w.t
    FROM unnest(CAST(:sent AS uuid[]), CAST(:verdicts AS text[]), CAST(:told AS text[])) AS w(i, v, t) WHERE m.id = w.i)
{journal()}
""")  # noqa: S608 nothing in it comes from outside
VERDICTS = text("""
UPDATE message m SET verdict = w.v, text = w.t
  FROM unnest(CAST(:ids AS uuid[]), CAST(:verdicts AS text[]), CAST(:texts AS text[])) AS w(i, v, t) WHERE m.id = w.i
""")

HELD = text("""
SELECT DISTINCT m.system, m.external_id FROM message m
  JOIN unnest(CAST(:systems AS text[]), CAST(:external_ids AS text[])) AS w(s, i)
    ON m.system = w.s AND m.external_id = w.i
 WHERE m.verdict = 'held'
""")
# A case that was merged is the one it was merged into.
BOUND = text("""
WITH RECURSIVE ours AS (
  SELECT id, state ->> 'merged_into' AS into FROM cases WHERE id = :case_id
  UNION SELECT c.id, c.state ->> 'merged_into' FROM cases c JOIN ours ON c.no = ours.into)
SELECT CAST(b.body AS text) AS body, c.no, b.case_id IN (SELECT id FROM ours) AS ours
  FROM binding b JOIN cases c ON c.id = b.case_id
 WHERE b.system = :system AND b.external_id = :external_id FOR UPDATE OF b
""")

# --- what people do ---

STUCK = text("""
SELECT d.id, c.no, d.system, d.message, d.state, d.attempts, d.in_doubt, d.why, d.text, d.created_at, d.done_at
  FROM delivery d JOIN cases c ON c.id = d.case_id WHERE d.state IN ('parked', 'refused')
 ORDER BY d.done_at, d.id LIMIT :limit
""")
_GO_ON = """
behind AS (
  UPDATE delivery f SET next_at = :now FROM done
   WHERE f.case_id = done.case_id AND f.system = done.system AND f.seq > done.seq AND f.state = 'pending')
SELECT system FROM done
"""
RELEASE = text(f"""
WITH done AS (
  UPDATE delivery SET state = 'pending', next_at = :now, since = NULL, attempts = 0, done_at = NULL, in_doubt = false,
         text = CASE WHEN :text = '' THEN text ELSE :text END
   WHERE id = :id AND state IN ('parked', 'refused') RETURNING case_id, system, seq),
{_GO_ON}""")  # noqa: S608
WITHDRAW = text(f"""
WITH done AS (
  UPDATE delivery SET state = 'withdrawn', done_at = :now, text = :text
   WHERE id = :id AND state IN ('parked', 'refused') RETURNING case_id, system, seq),
{_GO_ON}""")  # noqa: S608

# --- what the traffic of a whole system needs ---

# The outage is over: what waited because of it is due. What the other side asked us to wait for stays as it is.
WAKE_UP = text("""
UPDATE delivery SET next_at = :now
 WHERE system = :system AND state IN ('pending', 'in_doubt') AND next_at > :now AND next_at < 'infinity'
   AND why <> 'Throttled'
""")
# Retry is off: what was tried waits for a person.
PARK_TRIED = text("""
WITH heads AS (
  UPDATE delivery SET state = 'parked', done_at = :now, why = 'retry_off',
         text = CASE WHEN text = '' THEN 'retry is switched off' ELSE 'retry is switched off; before: ' || text END
   WHERE system IN (SELECT system FROM switch WHERE what = 'retry' AND off)
     AND state IN ('pending', 'in_doubt') AND attempts > 0
  RETURNING case_id, system, seq),
behind AS (
  UPDATE delivery f SET next_at = 'infinity' FROM heads h
   WHERE f.case_id = h.case_id AND f.system = h.system AND f.seq > h.seq AND f.state = 'pending' AND f.attempts = 0)
SELECT count(*) FROM heads
""")
# One step of the index a system, however many deliveries there are.
ADDRESSED = text("""
WITH RECURSIVE named AS (
  (SELECT system FROM delivery WHERE state IN ('pending', 'in_doubt', 'sent') ORDER BY system LIMIT 1)
  UNION ALL
  SELECT (SELECT d.system FROM delivery d WHERE d.state IN ('pending', 'in_doubt', 'sent') AND d.system > n.system
           ORDER BY d.system LIMIT 1) FROM named n WHERE n.system IS NOT NULL)
SELECT system FROM named WHERE system IS NOT NULL
UNION SELECT DISTINCT system FROM delivery WHERE state IN ('parked', 'refused')
""")
