import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Cockpit',
  coming: "Today's intake, the seven steps, on-time and overdue, the four loops, hot cells and rankings will be here.",
}
export default words
