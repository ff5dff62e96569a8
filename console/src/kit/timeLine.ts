export interface TimeEntry {
  key: string
  /** RFC 3339. */
  at: string
  /** Whose doing: a system, the centre, a unit. */
  lane: string
  tone?: 'good' | 'bad' | 'quiet'
}
