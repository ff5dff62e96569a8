import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'SLA board',
  coming: 'Cases near due, overdue, suspended and in arbitration, with reminders and supervision, will be here.',
}
export default words
