/** The one time line of a case: what was done, who was told of it, what came, and what could not be told. */

import type { CaseRow } from './case'
import type { ClockRun } from './clocks'
import type { TimeEntry } from './timeLine'
import type { Words } from '../language/tables'

export type ActionKind = keyof Words['shared']['acts']
export type Party = keyof Words['shared']['parties']

export interface CaseAction {
  kind: ActionKind
  actor: { party: Party; id: string }
  at: string
  reason?: string
  result?: string
  unit?: string
  system?: string
  standard?: string
  basis?: string
  target?: string
  until?: string
  limit?: { value: number; unit: string }
  supervision?: string
  level?: string
  round?: number
  told?: { clock: string; step: string; late?: boolean }
}

export interface CaseEvent {
  seq: number
  from_: string | null
  to: string
  action: CaseAction
  message_id?: string
}

export interface Sent {
  system: string
  message: string
  state: string
  attempts: number
  in_doubt: boolean
  why: string
  text: string
  event_seq: number
  created_at: string
  done_at: string | null
  replays: string | null
}

export interface NotTold {
  system: string
  action: string
  reason: string
  seq: number
}

export interface Held {
  at: string
  system: string
  kind: string
  text: string
}

export interface Binding {
  system: string
  role: 'source' | 'owner'
  round: number
  external_id: string
  case_key: string
  visible_no: string
  reference: string
}

export interface CalledUnit {
  unit: string
  name: string
  reference: string
  round: number
  system: string
  told: string | null
  called_at: string
  request: string
  report_in_by: string | null
  reported_in_at: string | null
  report_in_late: boolean
  answer_by: string | null
  answered_at: string | null
  answer_late: boolean
  result: string
  declined_at: string | null
  declined_because: string
}

export interface JointWork {
  since: string
  lead: string
  lead_name: string
  completion: 'all' | 'lead' | 'quorum'
  state: 'under_way' | 'done' | 'ended'
  ended_at: string | null
  called: number
  answered: number
  waits_for: string[]
  units: CalledUnit[]
}

export interface Request {
  kind: 'ask_extension' | 'ask_suspension'
  at: string
  limit: { value: number; unit: string } | null
  until: string | null
}

/** Of GET /api/cases/{number}. */
export interface CaseView extends CaseRow {
  events: CaseEvent[]
  bindings: Binding[]
  deliveries: Sent[]
  not_told: NotTold[]
  held: Held[]
  clocks: ClockRun[]
  joint_work: JointWork[]
  request: Request | null
  standard: string
  evaluation: string
  appealing: boolean
}

/** Of GET /api/journal. */
export interface JournalRow {
  id: string
  at: string
  direction: 'in' | 'out' | 'answer'
  system: string
  kind: string
  verdict: string
  why: string
  text: string
  external_id: string
  size: number
}

/** The centre's people, and the city's own rules, beside the systems. */
export const CENTRE = 'centre'
export const RULES = 'hub'

export interface Entry extends TimeEntry {
  /** `done`: an event. `message`: one that left no event here. `held`: one that came too early and waits. */
  what: 'done' | 'message' | 'held'
  /** Whose doing: a system, CENTRE or RULES; what the filter goes by. */
  by: string
  /** Every system it concerns. */
  systems: readonly string[]
  event?: CaseEvent
  told: readonly Sent[]
  notTold: readonly NotTold[]
  message?: JournalRow
  held?: Held
}

const GOOD = new Set<ActionKind>(['file', 'dispose', 'check', 'close', 'evaluate', 'answer', 'settle'])
const BAD = new Set<ActionKind>(['refuse', 'return', 'rework', 'cancel', 'decline', 'force_close', 'supervise', 'refuse_request'])
const QUIET = new Set<ActionKind>(['remind', 'recompute', 'reattribute', 'comment', 'join'])
const WENT_WRONG = new Set(['refused', 'quarantined', 'parked', 'in_doubt', 'failed'])

function toneOf(kind: ActionKind): TimeEntry['tone'] {
  return GOOD.has(kind) ? 'good' : BAD.has(kind) ? 'bad' : QUIET.has(kind) ? 'quiet' : undefined
}

function byOf(action: CaseAction): string {
  const { party, id } = action.actor
  return party === 'centre' ? CENTRE : party === 'hub' ? RULES : id
}

/** In the order in which it happened; of one moment, what was done before what came of it. */
export function timeline(view: CaseView, messages: readonly JournalRow[]): Entry[] {
  const byId = new Map(messages.map((message) => [message.id, message]))
  const used = new Set<string>()
  const done = view.events.map((event): Entry => {
    const message = event.message_id === undefined ? undefined : byId.get(event.message_id)
    if (message) used.add(message.id)
    const told = view.deliveries.filter((one) => one.event_seq === event.seq)
    const notTold = view.not_told.filter((one) => one.seq === event.seq)
    const by = byOf(event.action)
    const tone = toneOf(event.action.kind)
    return {
      key: `event-${event.seq}`, at: event.action.at, what: 'done', by, lane: by, event, told, notTold,
      systems: [by, ...told.map((one) => one.system), ...notTold.map((one) => one.system)],
      ...(message ? { message } : {}), ...(tone ? { tone } : {}),
    }
  })
  const others = messages.filter((message) => !used.has(message.id) && message.system !== CENTRE)
  const came = others.map((message): Entry => ({
    key: message.id, at: message.at, what: 'message', by: message.system, lane: message.system, message, told: [],
    notTold: [], systems: [message.system], tone: WENT_WRONG.has(message.verdict) ? 'bad' : 'quiet',
  }))
  const waiting = view.held.map((held, index): Entry => ({
    key: `held-${index}`, at: held.at, what: 'held', by: held.system, lane: held.system, held, told: [], notTold: [],
    systems: [held.system], tone: 'quiet',
  }))
  return [...done, ...came, ...waiting].sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
}

export interface Sight {
  /** Empty: all of them. */
  system: string
  messages: boolean
  /** Reminders and recomputed clocks: there are many. */
  reminders: boolean
}

const OFTEN = new Set<ActionKind>(['remind', 'recompute'])

export function inSight(entries: readonly Entry[], sight: Sight): Entry[] {
  return entries.filter(
    (entry) =>
      (sight.system === '' || entry.systems.includes(sight.system)) &&
      (sight.messages || entry.what !== 'message') &&
      (sight.reminders || !entry.event || !OFTEN.has(entry.event.action.kind)),
  )
}

/** Everyone who has a part in it, each once. */
export function parties(entries: readonly Entry[]): string[] {
  return [...new Set(entries.flatMap((entry) => entry.systems))]
}
