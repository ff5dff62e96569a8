import { describe, expect, test } from 'vitest'

import { CENTRE, type CaseEvent, type CaseView, inSight, type JournalRow, parties, RULES, timeline } from './journey'

const at = (minute: number): string => `2026-11-29T09:${String(minute).padStart(2, '0')}:00+08:00`
const event = (seq: number, kind: string, party: string, id: string, more: object = {}): CaseEvent =>
  ({ seq, from_: null, to: 'filed', action: { kind, actor: { party, id }, at: at(seq), ...more } }) as CaseEvent
const message = (id: string, minute: number, more: Partial<JournalRow> = {}): JournalRow => ({
  id, at: at(minute), direction: 'in', system: 'hotline', kind: 'task', verdict: 'case', why: '', text: '', external_id: '', size: 1, ...more,
})
const view = {
  events: [
    { ...event(1, 'collect', 'source', 'hotline'), message_id: 'm1' },
    event(2, 'dispatch', 'hub', 'responsibility.csv R1'),
    event(3, 'remind', 'hub', 'rules.yaml'),
    event(4, 'return', 'owner', 'urban'),
    event(5, 'comment', 'centre', 'zhang'),
  ],
  deliveries: [{ system: 'urban', message: 'letter', state: 'acknowledged', event_seq: 2 }],
  not_told: [{ system: 'grid', action: 'return', reason: 'no such message', seq: 4 }],
  held: [{ at: at(6), system: 'urban', kind: 'status', text: 'too early' }],
} as unknown as CaseView
const messages = [message('m1', 1), message('m2', 4, { verdict: 'refused' }), message('m3', 5, { system: CENTRE })]

describe('the time line', () => {
  const entries = timeline(view, messages)

  test('has events, messages that left none, and what waits, in the order of time', () => {
    expect(entries.map((entry) => entry.key)).toEqual(['event-1', 'event-2', 'event-3', 'event-4', 'm2', 'event-5', 'held-0'])
  })

  test('says of each event who did it, what brought it, who was told and who could not be', () => {
    expect(entries.map((entry) => entry.by)).toEqual(['hotline', RULES, RULES, 'urban', 'hotline', CENTRE, 'urban'])
    expect(entries[0]?.message?.id).toBe('m1')
    expect(entries[1]?.told[0]?.state).toBe('acknowledged')
    expect(entries[3]?.notTold[0]?.system).toBe('grid')
  })

  test('marks what went wrong', () => {
    expect(entries[3]?.tone).toBe('bad')
    expect(entries[4]?.tone).toBe('bad')
    expect(entries[2]?.tone).toBe('quiet')
  })

  test('leaves out what nobody wants to see, and finds all that concerns one system', () => {
    const usual = inSight(entries, { system: '', messages: false, reminders: false })
    const urban = inSight(entries, { system: 'urban', messages: true, reminders: true })

    expect(usual.map((entry) => entry.key)).toEqual(['event-1', 'event-2', 'event-4', 'event-5', 'held-0'])
    expect(urban.map((entry) => entry.key)).toEqual(['event-2', 'event-4', 'held-0'])
    expect(parties(entries)).toEqual(['hotline', RULES, 'urban', 'grid', CENTRE])
  })
})
