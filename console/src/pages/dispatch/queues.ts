/** The centre's queues in the order in which a case meets them, and what several cases of one may be given at once. */

import type { Listing, Queue } from '../../kit/case'

export const QUEUES: readonly Queue[] = [
  'location_unknown', 'class_unknown', 'to_file', 'to_verify', 'no_owner', 'returned', 'at_desk', 'to_check', 'to_close',
]

/** A row of GET /api/queues. */
export interface Waiting {
  queue: Queue
  count: number
  oldest_at: string
}

export type BulkKind = 'check' | 'close' | 'sign'

/** Only what needs no decision of its own for each case. */
export const BULK: Partial<Record<Queue, readonly BulkKind[]>> = { to_check: ['check'], to_close: ['close'], at_desk: ['sign'] }
/** The one text that the lifecycle table wants of it. */
export const TEXT_OF: Record<BulkKind, 'result' | 'reason'> = { check: 'result', close: 'result', sign: 'reason' }

export function keyOf(row: Listing): string {
  return row.no
}
